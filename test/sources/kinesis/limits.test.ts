import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { never, openSource, readAll, rowsOf, STREAM, scene } from './scene.ts'

const FIRST = 'shardId-000000000000'
const SECOND = 'shardId-000000000001'

function fill(double: KinesisDouble, shardId: string, count: number, bytes = 10): void {
  double.seed(
    STREAM,
    Array.from({ length: count }, () => ({ partitionKey: 'k', data: new Uint8Array(bytes) })),
    { shardId },
  )
}

/** Milliseconds between consecutive reads of a shard. */
function spacing(double: KinesisDouble, shardId: string): number[] {
  const times = double.calls
    .filter((call) => call.operation === 'GetRecords' && call.shardId === shardId)
    .map((call) => call.atMs)
  return times.slice(1).map((time, i) => time - times[i]!)
}

test('maxFetchRecordsPerShard caps each shard of a batch, and no record is lost for it', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  fill(double, FIRST, 25)
  fill(double, SECOND, 8)
  const source = openSource(double, { maxFetchRecordsPerShard: 10 })
  let position = await source.initial()
  const counts: Record<string, number>[] = []
  for (let i = 0; i < 3; i++) {
    const { batch } = await source.read(position, never)
    const count: Record<string, number> = {}
    for (const row of rowsOf(batch)) count[row.shardId] = (count[row.shardId] ?? 0) + 1
    counts.push(count)
    position = batch!.range.end
  }
  assert.deepEqual(counts, [{ [FIRST]: 10, [SECOND]: 8 }, { [FIRST]: 10 }, { [FIRST]: 5 }])
  await source.close()
})

test('the cap holds inside an aggregate of more records than it allows', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, {
    partitionKey: 'k',
    data: aggregate(Array.from({ length: 25 }, (_, i) => ({ partitionKey: 'k', data: `${i}` }))),
  })
  const source = openSource(double, { maxFetchRecordsPerShard: 10 })
  const { rows, batches } = await readAll(source, await source.initial())
  assert.deepEqual(
    rows.map((row) => Number(row.text)),
    Array.from({ length: 25 }, (_, i) => i),
  )
  assert.equal(batches, 3)
  await source.close()
})

test('maxRecordPerRead is what one request asks for', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  fill(double, FIRST, 25)
  const source = openSource(double, { maxRecordPerRead: 7 })
  await readAll(source, await source.initial())
  const reads = double.calls.filter((call) => call.operation === 'GetRecords')
  assert.deepEqual(
    reads.map((call) => call.records),
    [7, 7, 7, 4],
  )
  await source.close()
})

test('maxFetchBytes bounds a batch over all shards, but for a single record that is larger', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 4 })
  for (const { id } of double.shards(STREAM)) fill(double, id, 20, 1000)
  fill(double, FIRST, 1, 50_000)
  const source = openSource(double, { maxFetchBytes: 10_000 })
  let position = await source.initial()
  let rows = 0
  for (let drained = false; !drained; ) {
    const read = await source.read(position, never)
    const sizes = rowsOf(read.batch).map((row) => Buffer.byteLength(row.text))
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    assert.ok(bytes <= 10_000 || sizes.length === 1, `${sizes.length} rows of ${bytes} bytes`)
    rows += sizes.length
    position = read.batch?.range.end ?? position
    drained = read.drained
  }
  assert.equal(rows, 81)
  await source.close()
})

test('what is fetched ahead is bounded: no more large answers are asked for than a batch holds', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 20 })
  const MIB = 1024 * 1024
  for (const { id } of double.shards(STREAM)) fill(double, id, 16, MIB / 2)
  const source = openSource(double, { maxFetchBytes: '4MiB' })
  let position = await source.initial()
  let fetched = 0
  let taken = 0
  for (let i = 0; i < 30; i++) {
    const { batch } = await source.read(position, never)
    taken += batch?.rows ?? 0
    position = batch?.range.end ?? position
    fetched = Number(source.metrics()['records'])
    // Only the first answers, of shards nobody knows yet, may exceed the guess.
    assert.ok((fetched - taken) * (MIB / 2) <= 20 * 10 * MIB, `${fetched} fetched, ${taken} taken`)
  }
  assert.ok(taken > 0)
  await source.close()
})

test('a batch that never reaches a tip ends with its time', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  fill(double, FIRST, 1000)
  const source = openSource(double, { maxRecordPerRead: 1, maxFetchTimeInMs: '2s' })
  const position = await source.initial()
  const before = clock.monotonic()
  const { batch, drained } = await source.read(position, never)
  assert.equal(drained, false)
  assert.ok(batch!.rows >= 8 && batch!.rows <= 9, `${batch!.rows} rows at four reads a second`)
  assert.equal(clock.monotonic() - before, 2000)
  await source.close()
})

test('reads of a shard keep their distance, and a full answer earns a pause', async () => {
  const { double } = scene({ enforceLimits: ['reads', 'control'] })
  double.createStream(STREAM, { shards: 2 })
  fill(double, FIRST, 50_000, 1000)
  fill(double, SECOND, 100)
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.equal(rows.length, 50_100)
  assert.ok(spacing(double, FIRST).every((ms) => ms >= 250))
  assert.equal(source.metrics()['throttled'], 0)
  await source.close()
})

test('idle time between reads spaces them wider', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  fill(double, FIRST, 5)
  const source = openSource(double, {
    maxRecordPerRead: 1,
    addIdleTimeBetweenReads: true,
    idleTimeBetweenReadsInMs: 700,
    maxFetchTimeInMs: '10s',
  })
  await readAll(source, await source.initial())
  assert.ok(spacing(double, FIRST).every((ms) => ms >= 700))
  await source.close()
})

test('queries over the same stream share the limits of its shards, fairly', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  fill(double, FIRST, 40)
  const sources = [openSource(double, { maxRecordPerRead: 1 }), openSource(double, { maxRecordPerRead: 1 })]
  const counts = await Promise.all(
    sources.map(async (source) => {
      const position = await source.initial()
      return (await source.read(position, never)).batch?.rows ?? 0
    }),
  )
  assert.ok(spacing(double, FIRST).every((ms) => ms >= 250))
  assert.ok(Math.abs(counts[0]! - counts[1]!) <= 1, `${counts}`)
  for (const source of sources) await source.close()
})

test('throttling is waited out and counted, and loses nothing', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  fill(double, FIRST, 30)
  double.fault({
    operation: 'GetRecords',
    every: 2,
    action: { kind: 'error', code: 'ProvisionedThroughputExceededException' },
  })
  const source = openSource(double, { maxRecordPerRead: 3 })
  const { rows } = await readAll(source, await source.initial())
  assert.equal(rows.length, 30)
  assert.ok(Number(source.metrics()['throttled']) >= 9)
  await source.close()
})

test('a shard that answers slowly or not at all does not hold up the others', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 3 })
  for (const { id } of double.shards(STREAM)) fill(double, id, 3)
  double.fault({ operation: 'GetRecords', shardId: SECOND, times: 1, action: { kind: 'hang' } })
  const source = openSource(double)
  const position = await source.initial()
  const before = clock.monotonic()
  const first = await source.read(position, never)
  assert.equal(first.batch?.rows, 6)
  assert.equal(first.drained, false)
  assert.ok(clock.monotonic() - before <= 1000)
  const { rows } = await readAll(source, first.batch!.range.end, 200)
  assert.deepEqual(
    rows.map((row) => row.shardId),
    [SECOND, SECOND, SECOND],
  )
  await source.close()
})

test('rows in hand are not kept waiting for shards that only wait for their next turn', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  const source = openSource(double, { fetchInterval: '250ms', maxFetchTimeInMs: '10s' })
  const position = await source.initial()
  await source.read(position, never)
  // From here on the shards take their turns at different times.
  double.fault({ operation: 'GetRecords', shardId: SECOND, times: 1, action: { kind: 'delay', ms: 100 } })
  await source.read(position, never)
  fill(double, FIRST, 1)
  const before = clock.monotonic()
  const { batch } = await source.read(position, never)
  assert.equal(batch?.rows, 1)
  assert.ok(clock.monotonic() - before <= 300)
  await source.close()
})

test('rows of many shards that take their turns at about the same time come in one batch', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 100 })
  const source = openSource(double)
  const position = await source.initial()
  await source.read(position, never)
  for (const { id } of double.shards(STREAM)) fill(double, id, 1)
  const { batch } = await source.read(position, never)
  assert.equal(batch?.rows, 100)
  await source.close()
})

test('shards take turns when a batch is full before all were read', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 4 })
  for (const { id } of double.shards(STREAM)) fill(double, id, 40, 1000)
  const source = openSource(double, { maxFetchBytes: 5000, maxParallelReads: 1 })
  let position = await source.initial()
  const served = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const { batch } = await source.read(position, never)
    for (const row of rowsOf(batch)) served.add(row.shardId)
    position = batch?.range.end ?? position
  }
  assert.equal(served.size, 4)
  await source.close()
})

test('lag, shards and losses are told in figures, and a query about to lose data says so', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  fill(double, FIRST, 10)
  await clock.sleep(20 * 3_600_000)
  const lines: { level: string; text: string }[] = []
  const at = (level: string) => (_: unknown, text?: string) => void lines.push({ level, text: text ?? '' })
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as never
  const source = openSource(double, { maxRecordPerRead: 1, maxFetchRecordsPerShard: 1 }, log)
  await source.read(await source.initial(), never)
  const metrics = source.metrics()
  assert.equal(metrics['maxMillisBehindLatest'], 20 * 3_600_000)
  assert.equal(metrics['millisToDataLoss'], 4 * 3_600_000)
  assert.deepEqual(metrics['millisBehindLatest'], { [FIRST]: 20 * 3_600_000, [SECOND]: 0 })
  assert.equal(metrics['shardsOpen'], 2)
  assert.equal(metrics['shardsReading'], 2)
  const alarms = lines.filter((line) => line.level === 'error')
  assert.equal(alarms.length, 1)
  assert.match(alarms[0]!.text, /83 % of its retention/)
  await source.close()
})
