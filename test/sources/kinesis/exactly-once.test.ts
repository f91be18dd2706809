import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Position, Range } from '../../../src/batch.ts'
import type { KinesisSource } from '../../../src/sources/kinesis/kinesis-source.ts'
import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import type { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { forSeeds } from '../../support/seeds.ts'
import { never, openSource, rowsOf, type SeenRow, STREAM, scene } from './scene.ts'

/** What was acknowledged: every record's text once, and per key the order in which it was put. */
class Oracle {
  readonly #byKey = new Map<string, string[]>()
  #next = 0

  /** A text that says which record of which key it is. */
  text(key: string): string {
    const text = `${key}#${this.#next++}`
    this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), text])
    return text
  }

  get size(): number {
    return this.#next
  }

  /** Multiset and per-key order at once: what each key delivered is the very list that was put. */
  check(rows: readonly SeenRow[]): void {
    const seen = new Map<string, string[]>()
    for (const { text } of rows) {
      const key = text.slice(0, text.indexOf('#'))
      seen.set(key, [...(seen.get(key) ?? []), text])
    }
    for (const [key, texts] of this.#byKey)
      assert.deepEqual(seen.get(key) ?? [], texts, `records of key ${key}`)
    assert.equal(rows.length, this.#next, 'no record that was not put')
  }
}

/** One history of a stream, its reader and everything that goes wrong between them, drawn from a seed. */
class History {
  readonly #random: SeededRandom
  readonly #double: KinesisDouble
  readonly #oracle = new Oracle()
  readonly #options: Readonly<Record<string, string | number>>
  readonly #rows: SeenRow[] = []
  #source: KinesisSource
  #position: Position | undefined
  #lastRange: Range | undefined
  #lastDigest = ''
  readonly #nameless: boolean

  constructor(random: SeededRandom, double: KinesisDouble) {
    this.#random = random
    this.#double = double
    this.#options = {
      maxFetchRecordsPerShard: random.pick([1, 3, 7, 50, 100_000]),
      maxRecordPerRead: random.pick([1, 2, 5, 100, 10_000]),
      maxFetchBytes: random.pick([1024, 2000, 64 * 1024 * 1024]),
      maxFetchTimeInMs: random.pick([1, 100, 1000, 5000]),
      describeShardInterval: random.pick(['0ms', '1s', '10s', '10m']),
      maxParallelReads: random.pick([1, 2, 32]),
      startingPosition: random.pick(['trim_horizon', 'latest']),
    }
    // Some stand-ins for the service never say which shards follow a closed one.
    this.#nameless = random.below(4) === 0
    this.#clearFaults()
    this.#source = openSource(double, this.#options)
  }

  async run(steps: number): Promise<void> {
    // Latest is pinned here, before the first record; the other histories find records when they start.
    if (this.#options['startingPosition'] === 'latest') this.#position = await this.#source.initial()
    for (let step = 0; step < steps; step++) await this.#step()
    this.#clearFaults()
    await this.#drain()
    this.#oracle.check(this.#rows)
    await this.#source.close()
  }

  async #step(): Promise<void> {
    const dice = this.#random.below(100)
    if (dice < 30) this.#put()
    else if (dice < 37) this.#split()
    else if (dice < 43) this.#merge()
    else if (dice < 47) this.#double.gap(STREAM, this.#anyOpen(), 1 + this.#random.below(6))
    else if (dice < 59) this.#fault()
    else if (dice < 62) this.#clearFaults()
    else if (dice < 70) await this.#restart()
    else if (dice < 73) await this.#double.clock.sleep(this.#random.pick([10, 1000, 60_000, 400_000]))
    else if (this.#position !== undefined || dice > 85) await this.#read()
  }

  #put(): void {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    for (let n = this.#random.below(12); n >= 0; n--) {
      const key = this.#random.pick(keys)
      if (this.#random.below(4) > 0) {
        this.#double.put(STREAM, { partitionKey: key, data: this.#oracle.text(key) })
        continue
      }
      // All sub-records share the key that places the aggregate, so that none is misplaced.
      const parts = Array.from({ length: 1 + this.#random.below(6) }, () => ({
        partitionKey: key,
        data: this.#oracle.text(key),
      }))
      this.#double.put(STREAM, { partitionKey: key, data: aggregate(parts) })
    }
  }

  #split(): void {
    const open = this.#open()
    if (open.length < 12) this.#double.split(STREAM, this.#random.pick(open))
  }

  #merge(): void {
    const open = this.#open()
    if (open.length < 2) return
    const first = this.#random.pick(open)
    for (const other of open) {
      try {
        this.#double.merge(STREAM, first, other)
        return
      } catch {
        // Not adjacent; another one is.
      }
    }
  }

  #clearFaults(): void {
    this.#double.clearFaults()
    if (!this.#nameless) return
    const change = (answer: object): object => ({ ...answer, ChildShards: undefined })
    this.#double.fault({ operation: 'GetRecords', action: { kind: 'edit', change: change as never } })
  }

  #fault(): void {
    const { pick } = this.#random
    const times = 1 + this.#random.below(4)
    const reads = 'GetRecords' as const
    const code = pick([
      'ProvisionedThroughputExceededException',
      'InternalFailure',
      'KMSThrottlingException',
      'ServiceUnavailable',
    ] as const)
    const everywhere = { times, chance: 0.5 }
    pick([
      () => this.#double.fault({ operation: reads, ...everywhere, action: { kind: 'error', code } }),
      () =>
        this.#double.fault({
          operation: reads,
          ...everywhere,
          action: { kind: 'error', code: 'ExpiredIteratorException' },
        }),
      () =>
        this.#double.fault({ operation: 'GetShardIterator', ...everywhere, action: { kind: 'error', code } }),
      () =>
        this.#double.fault({
          operation: 'ListShards',
          ...everywhere,
          action: { kind: 'error', code: 'LimitExceededException' },
        }),
      () =>
        this.#double.fault({
          operation: 'ListShards',
          ...everywhere,
          action: { kind: 'error', code: 'ExpiredNextTokenException' },
        }),
      () =>
        this.#double.fault({
          operation: reads,
          ...everywhere,
          action: { kind: 'reset', applied: this.#random.below(2) === 0 },
        }),
      () => this.#double.fault({ operation: reads, ...everywhere, action: { kind: 'truncate' } }),
      () => this.#double.fault({ operation: reads, ...everywhere, action: { kind: 'html' } }),
      () =>
        this.#double.fault({
          operation: reads,
          ...everywhere,
          action: { kind: 'empty', millisBehindLatest: pick([1, 5000]) },
        }),
      () => {
        // Where no end ever names children, a false one cannot be told from a true one.
        if (!this.#nameless)
          this.#double.fault({ operation: reads, times: 2, chance: 0.3, action: { kind: 'malformed-end' } })
      },
      () =>
        this.#double.fault({
          operation: 'ListShards',
          times: 1,
          action: { kind: 'edit', change: withoutOneShard(this.#random) },
        }),
      () => this.#double.fault({ ...everywhere, action: { kind: 'hang' } }),
      () =>
        this.#double.fault({
          operation: reads,
          ...everywhere,
          action: { kind: 'delay', ms: pick([5, 500, 20_000]) },
        }),
    ])()
  }

  async #read(): Promise<void> {
    this.#position ??= await this.#patiently(() => this.#source.initial())
    const { batch } = await this.#source.read(this.#position, this.#impatience())
    if (!batch) return
    assert.deepEqual(batch.range.start, this.#position, 'a batch starts where the last one ended')
    this.#rows.push(...rowsOf(batch))
    this.#position = batch.range.end
    this.#lastRange = batch.range
    this.#lastDigest = batch.digest
  }

  /** Sometimes whoever waits for a read is told to stop in the middle of it. */
  #impatience(): AbortSignal {
    if (this.#random.below(5) > 0) return never
    const stop = new AbortController()
    void this.#double.clock.sleep(this.#random.below(600)).then(() => stop.abort())
    return stop.signal
  }

  /** A new process: it knows what was logged, and nothing else. Sometimes the last batch has to run again. */
  async #restart(): Promise<void> {
    await this.#source.close()
    this.#source = openSource(this.#double, this.#options)
    if (this.#position === undefined) return
    const logged = JSON.parse(JSON.stringify(this.#position)) as Position
    await this.#patiently(() => this.#source.resume(logged))
    this.#position = logged
    if (this.#lastRange && this.#random.below(2) === 0) {
      const range = JSON.parse(JSON.stringify(this.#lastRange)) as Range
      const again = await this.#patiently(() => this.#source.reread(range))
      assert.equal(again.digest, this.#lastDigest, 'a batch that is read again is the same batch')
      assert.deepEqual(rowsOf(again), this.#rows.slice(this.#rows.length - again.rows))
    }
  }

  /** Starting gives up after ten seconds; whoever starts queries tries again. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (attempt === 10 || !(error as { retriable?: boolean }).retriable) throw error
      }
    }
  }

  async #drain(): Promise<void> {
    // A shard that closed in this very millisecond is not behind its tip yet.
    await this.#double.clock.sleep(1)
    if (this.#random.below(2) === 0) {
      await this.#restart()
      await this.#source.pinEnd()
    }
    for (let reads = 0; reads < 3000; reads++) {
      this.#position ??= await this.#patiently(() => this.#source.initial())
      const { batch, drained } = await this.#source.read(this.#position, never)
      if (batch) {
        this.#rows.push(...rowsOf(batch))
        this.#position = batch.range.end
      }
      if (drained) return
    }
    assert.fail(`not drained; ${this.#rows.length} of ${this.#oracle.size} rows`)
  }

  #open(): string[] {
    return this.#double
      .shards(STREAM)
      .filter((shard) => shard.open)
      .map((shard) => shard.id)
  }

  #anyOpen(): string {
    return this.#random.pick(this.#open())
  }
}

test('delivers every acknowledged record once, in order per key, through reshards, faults and restarts', async () => {
  await forSeeds(30, async (random, seed) => {
    const { double } = scene({ seed, shardEnd: random.pick(['with-records', 'after-empty']) })
    double.createStream(STREAM, { shards: 1 + random.below(4) })
    await new History(random, double).run(30 + random.below(60))
    await double.close()
  })
})

function withoutOneShard(random: SeededRandom): never {
  const change = (answer: { Shards?: unknown[] }): object => {
    const missing = random.below(answer.Shards?.length ?? 1)
    return { ...answer, Shards: answer.Shards?.filter((_, i) => i !== missing) }
  }
  return change as never
}
