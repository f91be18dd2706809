import { setTimeout as delay } from 'node:timers/promises'
import { Database } from '../../../src/duckdb.ts'
import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { type Line, lineOf } from '../batch-files.ts'
import type { CrashQuery } from '../queries.ts'
import type { Ledger } from '../trial.ts'

const START_MS = Date.UTC(2026, 0, 1)
const SHARDS_MIN = 2
const SHARDS_MAX = 6
const LIST_AGAIN_MS = 100

/**
 * A stream that grows at a steady pace. Every event follows from its number, so that the ledger of millions is one
 * number.
 */
export class SteadyStream implements Ledger {
  readonly name = 'events'
  readonly #double: KinesisDouble
  readonly #random: SeededRandom
  readonly #msPerEvent: number
  #size = 0
  #reshards = 0

  /** @param eventsPerSecond the pace at which event time goes: half as fast as the clock on the wall */
  constructor(double: KinesisDouble, random: SeededRandom, eventsPerSecond: number) {
    this.#double = double
    this.#random = random
    this.#msPerEvent = Math.max(1, Math.floor(500 / eventsPerSecond))
    double.createStream(this.name, { shards: SHARDS_MIN })
  }

  /** Records put so far. */
  get size(): number {
    return this.#size
  }

  get reshards(): number {
    return this.#reshards
  }

  put(count: number): void {
    const from = this.#size
    const records = Array.from({ length: count }, (_, i) => this.#record(from + i))
    this.#size += this.#double.seed(this.name, records)
  }

  /** Splits a shard or merges two neighbours. */
  async reshard(): Promise<void> {
    const { Shards = [] } = await this.#list()
    const open = Shards.filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
    const start = (shard: (typeof open)[number]) => BigInt(shard.HashKeyRange?.StartingHashKey ?? 0)
    const ids = open.sort((a, b) => (start(a) < start(b) ? -1 : 1)).map((shard) => shard.ShardId ?? '')
    const mayGrow = ids.length < SHARDS_MAX
    if (ids.length <= SHARDS_MIN || (mayGrow && this.#random.next() < 0.5)) {
      this.#double.split(this.name, this.#random.pick(ids))
    } else {
      const left = this.#random.below(ids.length - 1)
      this.#double.merge(this.name, ids[left]!, ids[left + 1]!)
    }
    this.#reshards++
  }

  /** The weather is for the queries: whoever reshards asks until it is answered. */
  async #list() {
    for (;;) {
      const answer = await this.#double.handle('ListShards', { StreamName: this.name }).catch(() => undefined)
      if (answer) return answer
      await delay(LIST_AGAIN_MS)
    }
  }

  async expected({ expected, tables }: CrashQuery): Promise<readonly Line[]> {
    const database = await Database.open()
    try {
      const connection = await database.connect()
      for (const table of tables) await connection.run(table)
      await connection.run(
        `CREATE TEMP TABLE events AS SELECT range AS id, 'k' || range % 97 AS key, (range * 7919) % 50 AS value,
           make_timestamp((${START_MS} + range * ${this.#msPerEvent}) * 1000) AS "at", false AS late
         FROM range(${this.#size})`,
      )
      return (await connection.rows(expected)).map(lineOf)
    } finally {
      database.close()
    }
  }

  #record(id: number): { partitionKey: string; data: string } {
    const at = new Date(START_MS + id * this.#msPerEvent).toISOString().slice(0, -1)
    const event = { id, key: `k${id % 97}`, value: (id * 7919) % 50, at }
    return { partitionKey: String(id), data: JSON.stringify(event) }
  }
}
