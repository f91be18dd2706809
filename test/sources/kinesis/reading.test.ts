import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Position, Range } from '../../../src/batch.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { never, openSource, readAll, rowsOf, type SeenRow, STREAM, scene } from './scene.ts'

const numbered = (count: number, from = 0): { partitionKey: string; data: string }[] =>
  Array.from({ length: count }, (_, i) => ({ partitionKey: `key${i % 7}`, data: `r${from + i}` }))

const texts = (rows: readonly SeenRow[]): string[] => rows.map((row) => row.text)
const sortedTexts = (rows: readonly SeenRow[]): string[] => texts(rows).sort()
const logged = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

test('reads every record of every shard, with all columns', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 3 })
  const acks = double.put(STREAM, numbered(50))
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.deepEqual(
    sortedTexts(rows),
    numbered(50)
      .map((record) => record.data)
      .sort(),
  )
  assert.deepEqual(
    rows.map((row) => `${row.shardId} ${row.sequenceNumber}`).sort(),
    acks.map((ack) => `${ack.shardId} ${ack.sequenceNumber}`).sort(),
  )
  const { batch } = await openSource(double).read(await source.initial(), never)
  assert.deepEqual(
    batch?.records[0]?.schema.fields.map((field) => `${field.name} ${field.type}`),
    [
      'data Binary',
      'streamName Utf8',
      'partitionKey Utf8',
      'sequenceNumber Utf8',
      'approximateArrivalTimestamp Timestamp<MICROSECOND>',
      'shardId Utf8',
      'subSequenceNumber Int64',
    ],
  )
  assert.equal(source.description, 'kinesis[clicks]')
  await source.close()
})

test('a record that was put without a key has none', async () => {
  const { double } = scene()
  double.createStream(STREAM, { mode: 'ON_DEMAND', distribution: 'AUTO' })
  double.put(STREAM, { data: 'keyless' })
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.deepEqual(
    rows.map((row) => row.partitionKey),
    [null],
  )
  await source.close()
})

test('a batch ends as soon as all shards stand at their tips, without waiting for its time', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 4 })
  double.put(STREAM, numbered(40))
  const source = openSource(double, { maxFetchTimeInMs: '10m' })
  const position = await source.initial()
  const before = clock.monotonic()
  const { batch, drained } = await source.read(position, never)
  assert.equal(batch?.rows, 40)
  assert.equal(drained, true)
  assert.equal(clock.monotonic() - before, 0)
  await source.close()
})

test('an idle stream stays alive for ten minutes, runs no batch, and gives the next record within one poll', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  const source = openSource(double)
  const position = await source.initial()
  while (clock.monotonic() < 600_000) {
    const { batch, drained } = await source.read(position, never)
    assert.equal(batch, undefined)
    assert.equal(drained, true)
  }
  double.put(STREAM, numbered(1))
  const before = clock.monotonic()
  const { batch } = await source.read(position, never)
  assert.equal(batch?.rows, 1)
  assert.ok(clock.monotonic() - before <= 250, 'within one poll')
  await source.close()
})

test('the iterator stays alive between batches: a sparse stretch is crossed however short each read is', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, { partitionKey: 'k', data: 'before' })
  double.gap(STREAM, 'shardId-000000000000', 400)
  double.put(STREAM, { partitionKey: 'k', data: 'after' })
  const source = openSource(double, { maxFetchTimeInMs: 1 })
  const { rows } = await readAll(source, await source.initial(), 50)
  assert.deepEqual(texts(rows), ['before', 'after'])
  const iterators = double.calls.filter((call) => call.operation === 'GetShardIterator')
  assert.equal(iterators.length, 1)
  await source.close()
})

test('empty answers behind the tip are no end, and an end is no empty answer', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(3))
  double.fault({
    operation: 'GetRecords',
    times: 5,
    action: { kind: 'empty', millisBehindLatest: 86_400_000 },
  })
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.deepEqual(texts(rows), ['r0', 'r1', 'r2'])
  await source.close()
})

test('a batch may end inside an aggregate, and the next one, in another process, goes on there', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const parts = Array.from({ length: 10 }, (_, i) => ({ partitionKey: 'k', data: `s${i}` }))
  double.put(STREAM, [
    { partitionKey: 'k', data: 'plain' },
    { partitionKey: 'k', data: aggregate(parts) },
    { partitionKey: 'k', data: 'last' },
  ])
  let position = await openSource(double).initial()
  const seen: SeenRow[] = []
  const ranges: Range[] = []
  for (let i = 0; i < 4; i++) {
    const source = openSource(double, { maxFetchRecordsPerShard: 4 })
    if (i > 0) await source.resume(position)
    const { batch } = await source.read(position, never)
    assert.ok(batch)
    assert.ok(batch.rows <= 4, 'the cap is hard')
    seen.push(...rowsOf(batch))
    position = logged(batch.range.end)
    ranges.push(logged(batch.range))
    await source.close()
    if (seen.length === 12) break
  }
  assert.deepEqual(texts(seen), ['plain', ...parts.map((part) => part.data), 'last'])
  assert.deepEqual(
    seen.map((row) => row.subSequenceNumber),
    [null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, null],
  )
  const again = openSource(double)
  const reread = await Promise.all(ranges.map((range) => again.reread(range)))
  assert.deepEqual(texts(reread.flatMap((batch) => rowsOf(batch))), texts(seen))
  await again.close()
})

test('resuming starts after the last record of the checkpoint: none twice, none left out', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  double.put(STREAM, numbered(20))
  const first = openSource(double)
  const { end } = await readAll(first, await first.initial())
  await first.close()
  double.put(STREAM, numbered(20, 20))
  const second = openSource(double)
  await second.resume(logged(end))
  const { rows } = await readAll(second, logged(end))
  assert.deepEqual(
    sortedTexts(rows),
    numbered(20, 20)
      .map((record) => record.data)
      .sort(),
  )
  await second.close()
})

test('latest is pinned once: what is put before the first record was ever read is not lost by a crash', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  double.put(STREAM, numbered(5))
  await clock.sleep(1000)
  const first = openSource(double, { startingPosition: 'latest' })
  const position = await first.initial()
  const { batch } = await first.read(position, never)
  assert.equal(batch, undefined, 'what was there before is not latest')
  await first.close()
  await clock.sleep(1000)
  double.put(STREAM, numbered(5, 5))
  await clock.sleep(1000)
  const second = openSource(double, { startingPosition: 'latest' })
  await second.resume(logged(position))
  const { rows } = await readAll(second, logged(position))
  assert.deepEqual(sortedTexts(rows), ['r5', 'r6', 'r7', 'r8', 'r9'])
  await second.close()
})

test('a checkpoint beats the option, and the log says which one won', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(3))
  const lines: string[] = []
  const note = (_: unknown, line?: string): void => void lines.push(line ?? '')
  const log = { debug: note, info: note, warn: note, error: note } as never
  const first = openSource(double, {}, log)
  const { end } = await readAll(first, await first.initial())
  const second = openSource(double, { startingPosition: 'trim_horizon' }, log)
  await second.resume(logged(end))
  const { rows } = await readAll(second, logged(end))
  assert.deepEqual(rows, [])
  assert.match(lines[0] ?? '', /new query: starts at trim_horizon/)
  assert.match(
    lines[1] ?? '',
    /resuming from the checkpoint.*startingPosition 'trim_horizon' counts for new queries only/,
  )
  await first.close()
  await second.close()
})

test('expired iterators are replaced by ones after the last record: no record comes twice', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(10))
  double.fault({
    operation: 'GetRecords',
    every: 3,
    action: { kind: 'error', code: 'ExpiredIteratorException' },
  })
  const source = openSource(double, { maxRecordPerRead: 1, maxFetchRecordsPerShard: 1 })
  const position = await source.initial()
  const { rows, end } = await readAll(source, position)
  assert.deepEqual(
    texts(rows),
    numbered(10).map((record) => record.data),
  )
  assert.ok(Number(source.metrics()['expiredIterators']) > 0)
  // A sink that takes longer than an iterator lives.
  double.clearFaults()
  await clock.sleep(400_000)
  double.put(STREAM, numbered(1, 10))
  assert.deepEqual(texts((await readAll(source, end)).rows), ['r10'])
  await source.close()
})

test('the same range gives the same rows, order and digest in any process, however answers are cut and interleaved', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 4 })
  double.put(STREAM, numbered(200))
  const first = openSource(double)
  const { batch } = await first.read(await first.initial(), never)
  assert.ok(batch)
  for (const given of [
    { maxRecordPerRead: 1 },
    { maxParallelReads: 1 },
    { maxRecordPerRead: 3, maxFetchBytes: 1024 },
  ]) {
    const other = openSource(double, given)
    const again = await other.reread(logged(batch.range))
    assert.equal(again.digest, batch.digest)
    assert.deepEqual(rowsOf(again), rowsOf(batch))
    await other.close()
  }
  await first.close()
})

test('a re-read stops exactly at the end of its range', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(3))
  const source = openSource(double)
  const { batch } = await source.read(await source.initial(), never)
  double.put(STREAM, numbered(3, 3))
  assert.deepEqual(texts(rowsOf(await source.reread(batch!.range))), ['r0', 'r1', 'r2'])
  // And reading goes on behind it as if nothing had happened.
  assert.deepEqual(texts((await readAll(source, batch!.range.end)).rows), ['r3', 'r4', 'r5'])
  await source.close()
})

test('other rows, another order or other bytes give another digest', async () => {
  const digests = new Set<string>()
  for (const data of [['a', 'bc'], ['ab', 'c'], ['bc', 'a'], ['a'], ['a', 'bc', '']]) {
    const { double } = scene()
    double.createStream(STREAM)
    double.put(
      STREAM,
      data.map((text) => ({ partitionKey: 'k', data: text })),
    )
    const source = openSource(double)
    digests.add((await source.read(await source.initial(), never)).batch?.digest ?? 'none')
    await source.close()
  }
  assert.equal(digests.size, 5)
})

test('reading from a position other than the last one starts there', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(4))
  const source = openSource(double, { maxFetchRecordsPerShard: 2 })
  const start = await source.initial()
  const first = await source.read(start, never)
  await source.read(first.batch!.range.end, never)
  const back = await source.read(start, never)
  assert.deepEqual(texts(rowsOf(back.batch)), ['r0', 'r1'])
  assert.equal(back.batch?.digest, first.batch?.digest)
  await source.close()
})

test('pinEnd: what arrives later is left alone, and the source is drained', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  double.put(STREAM, numbered(10))
  const source = openSource(double, { maxRecordPerRead: 3 })
  const position = await source.initial()
  await source.pinEnd()
  await clock.sleep(10)
  double.put(STREAM, numbered(10, 10))
  const { rows, end } = await readAll(source, position)
  assert.deepEqual(
    sortedTexts(rows),
    numbered(10)
      .map((record) => record.data)
      .sort(),
  )
  assert.equal((await source.read(end, never)).drained, true)
  await source.close()
})

test('pinEnd ends on an idle stream that claims to be behind for ever', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.fault({ operation: 'GetRecords', action: { kind: 'empty', millisBehindLatest: 5000 } })
  const source = openSource(double)
  const position = await source.initial()
  await source.pinEnd()
  const { rows } = await readAll(source, position)
  assert.deepEqual(rows, [])
  await source.close()
})

test('a record that was put before the read began is in it, or the source does not claim to be drained', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 3 })
  const source = openSource(double)
  let position: Position = await source.initial()
  for (let i = 0; i < 30; i++) {
    double.put(STREAM, { partitionKey: `${i}`, data: `r${i}` })
    const { rows, end } = await readAll(source, position)
    assert.deepEqual(texts(rows), [`r${i}`])
    position = end
  }
  await source.close()
})

test('read returns soon after its signal aborts, with what it has', async () => {
  const { double, clock } = scene({ passes: 'manual' })
  double.createStream(STREAM, { shards: 2 })
  double.put(STREAM, { partitionKey: 'a', data: 'here' })
  const [filled] = double.shards(STREAM).filter((shard) => double.records(STREAM, shard.id).length > 0)
  const silent = double.shards(STREAM).find((shard) => shard.id !== filled?.id)
  double.fault({ operation: 'GetRecords', shardId: silent!.id, action: { kind: 'hang' } })
  const source = openSource(double, { maxFetchTimeInMs: '10m' })
  const stop = new AbortController()
  const reading = source.read(await source.initial(), stop.signal)
  await clock.advance(100)
  stop.abort()
  const { batch, drained } = await reading
  assert.deepEqual(texts(rowsOf(batch)), ['here'])
  assert.equal(drained, false)
  await source.close()
  await double.close()
})

test('close ends a read under way, and may come twice', async () => {
  const { double, clock } = scene({ passes: 'manual' })
  double.createStream(STREAM)
  double.fault({ operation: 'GetRecords', action: { kind: 'hang' } })
  const source = openSource(double)
  const reading = source.read(await source.initial(), never)
  await clock.advance(100)
  await source.close()
  await source.close()
  assert.deepEqual(await reading, { drained: false })
  await clock.advance(1)
  assert.equal(clock.sleeping, 0, 'no timer is left')
  await double.close()
})
