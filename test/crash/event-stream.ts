import { Database } from '../../src/duckdb.ts'
import { recordsOf } from '../../src/rows.ts'
import type { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Line, lineOf } from './batch-files.ts'
import { type CrashQuery, PHASE_SECONDS } from './queries.ts'
import type { Ledger } from './trial.ts'

interface Event {
  readonly id: bigint
  readonly key: string
  readonly value: bigint
  readonly at: Date
  /** Behind every watermark that there can be when it is put. */
  readonly late: boolean
}

const COLUMNS = [
  { name: 'id', type: 'BIGINT' },
  { name: 'key', type: 'VARCHAR' },
  { name: 'value', type: 'BIGINT' },
  { name: 'at', type: 'TIMESTAMP' },
  { name: 'late', type: 'BOOLEAN' },
] as const

const START_MS = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000
const KEYS = ['red', 'green', 'blue', 'grün', '紅', '']
/** From this phase on every shard gets a late row now and then; there is a watermark by then. */
const FIRST_LATE_PHASE = 8

/** A stream of the double, and the ledger of all that was put into it. */
export class EventStream implements Ledger {
  readonly name: string
  readonly #double: KinesisDouble
  readonly #random: SeededRandom
  readonly #ledger: Event[] = []
  readonly #expected = new Map<string, readonly Line[]>()
  #phases = 0

  constructor(double: KinesisDouble, name: string, random: SeededRandom) {
    this.name = name
    this.#double = double
    this.#random = random
    double.createStream(name, { shards: 2 })
  }

  /** Puts so many rows into every open shard, so that no shard is much ahead of the others in event time. */
  async put(rowsPerShard: number): Promise<void> {
    const starts = await this.#openShards()
    for (let row = 0; row < rowsPerShard; row++) {
      for (const explicitHashKey of starts) this.#append(explicitHashKey)
    }
    this.#phases++
    this.#expected.clear()
  }

  /** Splits one of the open shards, or merges two that lie side by side. */
  async reshard(how: 'split' | 'merge'): Promise<void> {
    const open = this.#double.shards(this.name).filter((shard) => shard.open)
    if (how === 'split') this.#double.split(this.name, this.#random.pick(open).id)
    else {
      const [left, right] = (await this.#byRange()).slice(0, 2)
      this.#double.merge(this.name, left!.id, right!.id)
    }
  }

  async expected({ expected, tables }: CrashQuery): Promise<readonly Line[]> {
    const known = this.#expected.get(expected)
    if (known) return known
    const database = await Database.open()
    try {
      const connection = await database.connect()
      for (const table of tables) await connection.run(table)
      await connection.attach('events', COLUMNS, [
        recordsOf(
          COLUMNS,
          this.#ledger.map((event) => ({ ...event })),
        ),
      ])
      const lines = (await connection.rows(expected)).map(lineOf)
      this.#expected.set(expected, lines)
      return lines
    } finally {
      database.close()
    }
  }

  #append(explicitHashKey: string): void {
    const random = this.#random
    const late = this.#phases >= FIRST_LATE_PHASE && random.next() < 0.05
    const sinceStartMs = this.#phases * PHASE_SECONDS * 1000 + random.below(PHASE_SECONDS * 1000)
    const event: Event = {
      id: BigInt(this.#ledger.length),
      key: random.pick(KEYS),
      value: BigInt(random.below(50)),
      at: new Date(late ? START_MS - DAY_MS : START_MS + sinceStartMs),
      late,
    }
    this.#ledger.push(event)
    const { id, key, value, at } = event
    const data = JSON.stringify({
      id: Number(id),
      key,
      value: Number(value),
      at: at.toISOString().slice(0, -1),
    })
    this.#double.put(this.name, { partitionKey: key || 'none', explicitHashKey, data })
  }

  async #openShards(): Promise<readonly string[]> {
    return (await this.#byRange()).map((shard) => shard.start)
  }

  async #byRange(): Promise<readonly { readonly id: string; readonly start: string }[]> {
    const { Shards = [] } = await this.#double.handle('ListShards', { StreamName: this.name })
    return Shards.filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
      .map((shard) => ({ id: shard.ShardId ?? '', start: shard.HashKeyRange?.StartingHashKey ?? '' }))
      .sort((a, b) => (BigInt(a.start) < BigInt(b.start) ? -1 : 1))
  }
}
