import type { RetryLimits } from '../../backoff.ts'
import type { Clock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import type { Counters } from './counters.ts'
import type { HashRange, KinesisPort, Shard } from './kinesis-port.ts'
import type { StreamLimiter } from './limiter.ts'
import type { Losses } from './losses.ts'
import type { ShardRate } from './options.ts'
import type { ServerClock } from './server-clock.ts'
import type { StreamWatch } from './stream-watch.ts'

/** What the walks of all shards of a source have in common. */
export interface WalkContext {
  readonly port: KinesisPort
  readonly clock: Clock
  readonly serverClock: ServerClock
  readonly watch: StreamWatch
  readonly losses: Losses
  readonly counters: Counters
  readonly log: Logger
  readonly limiter: StreamLimiter
  readonly rate: ShardRate
  readonly retry: RetryLimits
  readonly recordsPerRead: number
  /** Of the whole source; requests under way are not cut off at the end of a batch. */
  readonly closed: AbortSignal
  /** Undefined when records are placed without regard to their keys, or the shard is unknown. */
  hashRangeOf(shardId: string): HashRange | undefined
  /** By the list of shards, without asking. */
  isClosed(shardId: string): boolean
  /** Looks at the list of shards: is this one closed, and is it there at all? */
  look(shardId: string): Promise<'open' | 'closed' | 'gone'>
  /** Child shards that the end of a shard named. */
  discovered(children: readonly Shard[]): void
  /** Whether any end of a shard has named children so far. */
  namesChildren(): boolean
}
