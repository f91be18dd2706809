import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Counters } from './counters.ts'

/** What is done about records that are gone: by default the query fails; else they are counted, and it goes on. */
export class Losses {
  readonly #stream: string
  readonly #fail: boolean
  readonly #counters: Counters
  readonly #log: Logger

  constructor(stream: string, failOnDataLoss: boolean, counters: Counters, log: Logger) {
    this.#stream = stream
    this.#fail = failOnDataLoss
    this.#counters = counters
    this.#log = log
  }

  get tolerated(): boolean {
    return !this.#fail
  }

  /** Records between two places of a shard. @throws KINESIS_DATA_LOSS unless losses are tolerated */
  range(shard: string, reason: string, range: string): void {
    this.#judge(shard, reason, range)
    this.#counters.lostRanges++
  }

  /** All that a shard held after a place. @throws KINESIS_DATA_LOSS unless losses are tolerated */
  shard(shard: string, reason: string, range: string): void {
    this.#judge(shard, reason, range)
    this.#counters.lostShards++
  }

  /** A re-read gave another number of rows than the first read. @throws KINESIS_DATA_LOSS unless tolerated */
  rows(shard: string, expected: number, found: number, range: string): void {
    this.#judge(shard, `read again it gave ${found} rows where the batch had ${expected}`, range)
    this.#counters.lostRows += Math.max(0, expected - found)
  }

  #judge(shard: string, reason: string, range: string): void {
    const error = new SluiceError('KINESIS_DATA_LOSS', { shard, stream: this.#stream, reason, range })
    if (this.#fail) throw error
    this.#log.warn(
      { code: error.code, shard, reason, range },
      `going on in spite of data loss in ${shard}: ${reason}`,
    )
  }
}
