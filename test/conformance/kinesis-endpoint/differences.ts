/** Where an endpoint is known to part from the service. The suite asserts the difference in place of the rule. */
export const DIFFERENCES = {
  'no-arn': 'StreamARN does not stand in for StreamName',
  'no-paging': 'ListShards answers all shards whatever MaxResults says',
  'no-shard-filter': 'ListShards ignores ShardFilter',
  'no-child-shards': 'the end of a shard names no ChildShards',
  'late-shard-end': 'the end of a shard comes one empty answer after its last records',
  'never-behind': 'MillisBehindLatest is 0 whatever is left to read',
  'no-size-cap': 'one answer may exceed 10 MiB',
  'no-scaling': 'UpdateShardCount is not known',
  'bad-iterator-is-a-server-error': 'a damaged iterator is answered with status 500',
  'silent-at-timestamp': 'AT_TIMESTAMP after the last record is never answered',
  'limit-is-a-constraint': 'a Limit above 10,000 is a ValidationException',
  'foreign-sequence-numbers-pass':
    'a sequence number of another shard, or of a deleted stream of the same name, is accepted by GetShardIterator',
  'needless-sequence-numbers-pass': 'LATEST and TRIM_HORIZON may come with a StartingSequenceNumber',
  'puts-of-any-number-pass': 'PutRecords takes any number of records, also none',
  'splits-at-borders-pass': 'SplitShard takes the first hash key of the shard',
  'slow-puts': 'a MiB takes most of a second to put: the 10 MiB cap is not tried',
} as const satisfies Readonly<Record<string, string>>

export type Difference = keyof typeof DIFFERENCES
/** Whether the endpoint under test is known to part from the service in this. */
export type Differs = (difference: Difference) => boolean
