import type { StoredRecords } from './stored-records.ts'

/** The span in which the service's clock stood when it gave an answer; the HTTP `Date` header knows whole seconds only. */
export interface ServerTime {
  readonly earliestMs: number
  readonly latestMs: number
}

export interface HashRange {
  readonly start: bigint
  readonly end: bigint
}

export interface Shard {
  readonly shardId: string
  /** None for a first-generation shard, two for the child of a merge. */
  readonly parents: readonly string[]
  readonly hashRange: HashRange
  /** Closed by a split or merge: no record will be added. Unknown for a shard that only `ChildShards` named. */
  readonly closed: boolean
}

export interface StreamSummary {
  readonly name: string
  readonly arn: string
  readonly status: string
  readonly createdMs: number
  readonly retentionMs: number
  /** Records are placed without regard to their keys (on-demand streams with strategy AUTO). */
  readonly autoPlaced: boolean
  readonly serverTime: ServerTime
}

export interface ShardPage {
  readonly shards: readonly Shard[]
  readonly nextToken: string | undefined
}

/** Where an iterator starts. `LATEST` is missing on purpose: it is a wish, not a place. */
export type IteratorStart =
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestampMs: number }
  | { readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'; readonly sequenceNumber: string }

/** A record as Kinesis stores it; what it holds may be an aggregate. */
export interface StoredRecord {
  readonly sequenceNumber: string
  /** Absent when the producer of an AUTO stream gave none. */
  readonly partitionKey: string | undefined
  readonly data: Uint8Array
  /** Server time, without a promise of order or accuracy. */
  readonly arrivedMs: number | undefined
}

export interface RecordsPage {
  readonly records: StoredRecords
  /** Absent at the end of a closed shard, and only there. */
  readonly nextIterator: string | undefined
  readonly millisBehindLatest: number
  readonly serverTime: ServerTime
  /** Only at the end of a shard. Undefined when the answer named none. */
  readonly children: readonly Shard[] | undefined
  /** When another source of the process asked for it, on the monotonic clock; absent when this one did. */
  readonly sharedAt?: number
}

/**
 * What the source asks of Kinesis, for one stream. Whatever goes wrong is thrown as a `SluiceError` that names the
 * operation, the stream, the shard and the host; `retriable` says whether asking again can help.
 *
 * @throws KINESIS_STREAM_NOT_FOUND, KINESIS_SHARD_GONE, KINESIS_ITERATOR_EXPIRED, KINESIS_POSITION_REFUSED, AWS_…
 */
export interface KinesisPort {
  /** Same text, same stream: what limiters are shared by. */
  readonly id: string
  /** For messages: host and signing region. */
  readonly place: string
  describeStream(signal: AbortSignal): Promise<StreamSummary>
  listShards(nextToken: string | undefined, signal: AbortSignal): Promise<ShardPage>
  getShardIterator(shardId: string, start: IteratorStart, signal: AbortSignal): Promise<string>
  getRecords(shardId: string, iterator: string, limit: number, signal: AbortSignal): Promise<RecordsPage>
  /** Whether the answer to an iterator is here, or on its way to another source of the process. */
  isAtHand?(iterator: string): boolean
  close(): void
}
