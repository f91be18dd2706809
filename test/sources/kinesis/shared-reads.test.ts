import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../../src/api/session.ts'
import type { Batch, Position } from '../../../src/batch.ts'
import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import type { OptionValue } from '../../../src/options.ts'
import { kinesisFormat } from '../../../src/sources/kinesis/format.ts'
import type { KinesisSource } from '../../../src/sources/kinesis/kinesis-source.ts'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { Bench } from '../../conformance/sink.ts'
import { temporaryDirectory } from '../../sinks/temporary-directory.ts'
import { forSeeds } from '../../support/seeds.ts'
import { never, openSource, readAll, rowsOf, type SeenRow, STREAM, scene } from './scene.ts'

const sharing = (double: KinesisDouble, given = {}) => openSource(double, given, silentLogger, 'together')

function put(double: KinesisDouble, count: number, from: number): void {
  for (let i = from; i < from + count; i++) {
    double.put(STREAM, { partitionKey: `key ${i % 7}`, data: Buffer.from(`record ${i}`) })
  }
}

const reads = (double: KinesisDouble) => double.calls.filter(({ operation }) => operation === 'GetRecords')
const got = (double: KinesisDouble) => reads(double).reduce((sum, { records }) => sum + records, 0)

/** Each record once, and those of a shard in their order. */
function assertWhole(rows: readonly SeenRow[], count: number, who: string): void {
  const numbers = rows.map(({ text }) => Number(text.slice('record '.length)))
  const found = new Set(numbers)
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !found.has(i))
  assert.deepEqual([missing.slice(0, 5), missing.length, numbers.length], [[], 0, count], who)
  const last = new Map<string, bigint>()
  for (const { shardId, sequenceNumber } of rows) {
    assert.ok(BigInt(sequenceNumber) > (last.get(shardId) ?? -1n), `${who}: order of ${shardId}`)
    last.set(shardId, BigInt(sequenceNumber))
  }
}

test('what several sources read at one pace is fetched once', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  put(double, 3000, 0)
  const sources = [sharing(double), sharing(double), sharing(double)]
  const given = { maxRecordPerRead: 100 }
  for (const source of sources.splice(0)) await source.close()
  for (let i = 0; i < 3; i++) sources.push(sharing(double, given))
  const all = await Promise.all(
    sources.map(async (source) => {
      const initial = await source.initial()
      return await readAll(source, initial)
    }),
  )
  for (const [who, { rows }] of all.entries()) assertWhole(rows, 3000, `source ${who}`)
  // Each starts with an iterator of its own, so the first page of a shard comes three times at most.
  assert.ok(got(double) <= 3000 + 2 * 2 * 100, `${got(double)} records were fetched`)
  const more = await Promise.all(
    sources.map(async (source, who) => {
      if (who === 0) put(double, 1000, 3000)
      return await readAll(source, all[who]?.end as Position)
    }),
  )
  for (const [who, { rows }] of more.entries()) {
    assertWhole([...(all[who]?.rows ?? []), ...rows], 4000, `source ${who}`)
  }
  assert.ok(got(double) <= 4000 + 2 * 2 * 100 + 2 * 2 * 100, `${got(double)} records were fetched`)
  for (const source of sources) await source.close()
  await double.close()
})

test('sources that share nothing fetch everything each', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  put(double, 500, 0)
  const sources = [openSource(double), openSource(double)]
  for (const source of sources)
    assertWhole((await readAll(source, await source.initial())).rows, 500, 'alone')
  assert.equal(got(double), 1000)
  for (const source of sources) await source.close()
  await double.close()
})

test('what was there when availableNow was asked for is read, however old the answers of others are', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const [first, second] = [sharing(double), sharing(double)]
  const [from, other] = [await first.initial(), await second.initial()]
  await readAll(first, from)
  await readAll(second, other)
  // The first meets the tip again; records come behind that; then the second is asked what is there.
  await readAll(first, from)
  put(double, 10, 0)
  await second.pinEnd()
  assertWhole((await readAll(second, other)).rows, 10, 'second')
  await first.close()
  await second.close()
  await double.close()
})

/** A source that is read now and then, stops, and starts again where its last batch ended. */
class Reader {
  readonly rows: SeenRow[] = []
  readonly #open: () => KinesisSource
  #source: KinesisSource
  #at: Position | undefined
  #isPinned = false

  constructor(open: () => KinesisSource) {
    this.#open = open
    this.#source = open()
  }

  async start(): Promise<void> {
    this.#at = await this.#source.initial()
  }

  async step(): Promise<boolean> {
    const { batch, drained } = await this.#source.read(this.#at as Position, never)
    if (batch) {
      const rows = rowsOf(batch)
      this.rows.push(...rows)
      this.#at = JSON.parse(JSON.stringify(batch.range.end))
      batch.release?.()
    }
    return drained
  }

  async restart(): Promise<void> {
    await this.close()
    this.#source = this.#open()
    await this.#source.resume(this.#at as Position)
  }

  async drain(): Promise<void> {
    if (!this.#isPinned) await this.#source.pinEnd()
    this.#isPinned = true
    while (!(await this.step()));
  }

  close(): Promise<void> {
    return this.#source.close()
  }
}

async function oneRound(random: SeededRandom, seed: string): Promise<void> {
  const { double } = scene({ seed })
  double.createStream(STREAM, { shards: 1 + random.below(3) })
  let count = 0
  const grow = (): void => {
    const more = random.below(400)
    put(double, more, count)
    count += more
  }
  grow()
  const given = { maxRecordPerRead: 50, maxFetchRecordsPerShard: 120, describeShardInterval: '1s' }
  const readers = Array.from({ length: 3 }, () => new Reader(() => sharing(double, given)))
  for (const reader of readers) await reader.start()
  for (let step = 0; step < 40; step++) {
    const chance = random.next()
    if (chance < 0.2) grow()
    else if (chance < 0.28) await random.pick(readers).restart()
    else if (chance < 0.33) {
      const open = double.shards(STREAM).filter((shard) => shard.open)
      double.split(STREAM, random.pick(open).id)
    } else if (chance < 0.4) {
      const action = random.pick([
        { kind: 'error', code: 'ProvisionedThroughputExceededException' },
        { kind: 'error', code: 'ExpiredIteratorException' },
        { kind: 'error', code: 'InternalFailure' },
        { kind: 'reset', applied: true },
      ] as const)
      double.fault({ operation: 'GetRecords', times: 1 + random.below(3), action })
    } else if (chance < 0.7) await Promise.all(readers.map((reader) => reader.step()))
    else await random.pick(readers).step()
  }
  double.clearFaults()
  await Promise.all(readers.map((reader) => reader.drain()))
  for (const [who, { rows }] of readers.entries()) assertWhole(rows, count, `reader ${who}`)
  for (const reader of readers) await reader.close()
  await double.close()
}

test('at whatever pace, through restarts, reshards and failures, each source gets every record once', async () => {
  await forSeeds(4, oneRound, 1000)
})

test('bodies that several sources hold are not used again before all have let go of them', async (t) => {
  const double = new KinesisDouble({ region: 'eu-west-1' })
  double.createStream(STREAM)
  const { endpointUrl } = await double.listen()
  t.after(() => double.close())
  const count = 1500
  for (let i = 0; i < count; i++) {
    double.put(STREAM, { partitionKey: 'k', data: Buffer.from(`record ${i} ${String(i).repeat(500)}`) })
  }
  const options = new Map<string, OptionValue>(
    Object.entries({
      ...{
        streamName: STREAM,
        region: 'eu-west-1',
        endpointUrl,
        awsAccessKeyId: 'A',
        awsSecretKey: 'secret',
      },
      ...{ startingPosition: 'trim_horizon', fetchInterval: 1, maxBytesPerSecond: '1GiB' },
      ...{ maxRecordPerRead: 100, maxFetchRecordsPerShard: 70 },
    }),
  )
  const open = () => kinesisFormat.open({ options, clock: systemClock, log: silentLogger })
  const sources = [open(), open(), open()]
  await Promise.all(
    sources.map(async (source, who) => {
      let at = await source.initial()
      const held: Batch[] = []
      let next = 0
      const letGo = (batch: Batch) => {
        for (const { text } of rowsOf(batch)) {
          assert.equal(text, `record ${next} ${String(next).repeat(500)}`, `source ${who}`)
          next++
        }
        batch.release?.()
      }
      while (next + held.reduce((sum, { rows }) => sum + rows, 0) < count) {
        const { batch } = await source.read(at, never)
        if (!batch) continue
        at = batch.range.end
        held.push(batch)
        // The second holds two batches, the third three.
        if (held.length > who) letGo(held.shift() as Batch)
      }
      for (const batch of held) letGo(batch)
      assert.equal(next, count)
    }),
  )
  assert.ok(got(double) < 2 * count, `${got(double)} records were fetched`)
  for (const source of sources) await source.close()
})

test('several sinks of a script over one stream read it once, each from its own checkpoint', async (t) => {
  const double = new KinesisDouble({ region: 'eu-west-1' })
  double.createStream(STREAM)
  const { endpointUrl } = await double.listen()
  t.after(() => double.close())
  const add = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      double.put(STREAM, { partitionKey: 'k', data: Buffer.from(`{"i":${i}}`) })
    }
  }
  const directory = temporaryDirectory()
  const stream = `CREATE STREAM numbers (i BIGINT) USING kinesis OPTIONS (streamName '${STREAM}', region 'eu-west-1',
    endpointUrl '${endpointUrl}', awsAccessKeyId 'A', awsSecretKey 'secret', startingPosition 'trim_horizon',
    fetchInterval 5, maxRecordPerRead 100);`
  const sink = (name: string, select: string, where = '') =>
    `CREATE SINK ${name} USING json OPTIONS (path '${directory}/${name}', checkpointLocation '${directory}/c-${name}')
     AS SELECT ${select} FROM numbers ${where};`
  const script = [
    stream,
    sink('small', 'i'),
    sink('twice', '2 * i AS i'),
    sink('even', 'i', 'WHERE i % 2 = 0'),
  ]
  for (const from of [0, 2000]) {
    const session = await Session.create({ log: silentLogger })
    const queries = await session.run(script.join('\n'))
    const settle = () => Promise.all(queries.map((query) => query.processAllAvailable()))
    add(from, from + 100)
    await settle()
    double.clearCalls()
    // All of them stand at the tip.
    add(from + 100, from + 2000)
    await settle()
    assert.ok(got(double) < 1.5 * 1900, `${got(double)} records were fetched for three sinks`)
    await session.close()
  }
  const bench = await Bench.open()
  const found = async (name: string) => {
    const rows = await bench.connection.rows(
      `SELECT i FROM read_json('${directory}/${name}/**/*.json') ORDER BY i`,
    )
    return rows.map(({ i }) => Number(i))
  }
  const all = Array.from({ length: 4000 }, (_, i) => i)
  assert.deepEqual(await found('small'), all)
  assert.deepEqual(
    await found('twice'),
    all.map((i) => 2 * i),
  )
  assert.deepEqual(
    await found('even'),
    all.filter((i) => i % 2 === 0),
  )
  bench.close()
})
