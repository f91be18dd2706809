/** What a source has done since it was opened; shown in the progress of the query. */
export class Counters {
  reads = 0
  /** Answers that another source of the process asked for. */
  sharedReads = 0
  records = 0
  rows = 0
  bytes = 0
  listings = 0
  throttled = 0
  retries = 0
  expiredIterators = 0
  /** Answers that looked like the end of a shard and named no children; asked again before they are believed. */
  unconfirmedEnds = 0
  /** Aggregates that the producer's library sent again to the shard they belong to. */
  misplacedAggregates = 0
  /** Checksum right, content not: delivered as they are. */
  corruptAggregates = 0
  /** With failOnDataLoss false: stretches and shards that could not be read. */
  lostRanges = 0
  lostShards = 0
  lostRows = 0
}
