import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/errors.ts'
import { hashKeyOf } from '../../../src/testing/kinesis/hash-key.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { never, openSource, readAll, rowsOf, type SeenRow, STREAM, scene } from './scene.ts'

const FIRST = 'shardId-000000000000'

/** Per key, the numbers of its records in the order in which they came. */
function orderByKey(rows: readonly SeenRow[]): Record<string, number[]> {
  const orders: Record<string, number[]> = {}
  for (const { text, partitionKey } of rows) {
    const order = orders[partitionKey ?? ''] ?? []
    orders[partitionKey ?? ''] = [...order, Number(text)]
  }
  return orders
}

function ascending(rows: readonly SeenRow[]): void {
  for (const [key, order] of Object.entries(orderByKey(rows))) {
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `order of key ${key}`,
    )
  }
}

/** Records numbered in the order in which they are put, over a few keys. */
function putter(double: {
  put(stream: string, records: { partitionKey: string; data: string }[]): unknown
}): (count: number) => void {
  let next = 0
  return (count) => {
    double.put(
      STREAM,
      Array.from({ length: count }, () => ({ partitionKey: `key${next % 5}`, data: `${next++}` })),
    )
  }
}

const logged = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

for (const shardEnd of ['with-records', 'after-empty'] as const) {
  test(`children come after their parents, from their first record, over splits and merges (end ${shardEnd})`, async () => {
    const { double } = scene({ shardEnd })
    const put = putter(double)
    double.createStream(STREAM)
    put(20)
    const [left, right] = double.split(STREAM, FIRST)
    put(20)
    const [far] = double.split(STREAM, left)
    put(20)
    double.merge(STREAM, far, double.shards(STREAM).at(-1)!.id)
    put(20)
    double.merge(STREAM, double.shards(STREAM).at(-1)!.id, right)
    put(20)
    const source = openSource(double, { maxRecordPerRead: 3 })
    const { rows } = await readAll(source, await source.initial())
    assert.equal(rows.length, 100)
    ascending(rows)
    await source.close()
  })
}

test('a child that appears while the query runs starts at its first record, although the query started at latest', async () => {
  const { double, clock } = scene()
  const put = putter(double)
  double.createStream(STREAM)
  const source = openSource(double, { startingPosition: 'latest', describeShardInterval: '1h' })
  const position = await source.initial()
  await clock.sleep(10)
  put(5)
  const first = await readAll(source, position)
  double.split(STREAM, FIRST)
  put(20)
  await clock.sleep(10)
  const second = await readAll(source, first.end)
  assert.equal(first.rows.length + second.rows.length, 25)
  ascending([...first.rows, ...second.rows])
  await source.close()
})

test('the end of a shard leads to its children at once, whatever describeShardInterval says', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  const source = openSource(double, { describeShardInterval: '1h' })
  const position = await source.initial()
  await readAll(source, position)
  double.split(STREAM, FIRST)
  double.put(STREAM, { partitionKey: 'k', data: 'new' })
  const before = clock.monotonic()
  const { rows } = await readAll(source, position)
  assert.equal(rows.length, 1)
  assert.ok(clock.monotonic() - before <= 1000)
  await source.close()
})

test('shards that closed, several generations of them, while the query was down are read to their ends', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM, { shards: 2 })
  put(10)
  const first = openSource(double)
  const before = await readAll(first, await first.initial())
  await first.close()
  put(10)
  double.split(STREAM, FIRST)
  put(10)
  double.scale(STREAM, 6)
  put(10)
  double.scale(STREAM, 1)
  put(10)
  const second = openSource(double)
  await second.resume(logged(before.end))
  const after = await readAll(second, logged(before.end))
  assert.equal(before.rows.length + after.rows.length, 50)
  ascending([...before.rows, ...after.rows])
  await second.close()
})

test('a merge waits for both parents, also when only one of them is read to its end', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM, { shards: 2 })
  put(30)
  double.merge(STREAM, FIRST, 'shardId-000000000001')
  put(30)
  double.fault({
    operation: 'GetRecords',
    shardId: FIRST,
    times: 8,
    action: { kind: 'error', code: 'InternalFailure' },
  })
  const source = openSource(double, { maxRecordPerRead: 5 })
  const { rows } = await readAll(source, await source.initial())
  assert.equal(rows.length, 60)
  ascending(rows)
  await source.close()
})

test('the child of a merge waits for a parent that nobody had heard of before', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM, { shards: 2 })
  const source = openSource(double, {
    describeShardInterval: '1h',
    maxFetchRecordsPerShard: 1,
    maxRecordPerRead: 1,
  })
  const position = await source.initial()
  put(20)
  // The second shard ends at once and names a child whose other parent is a child of the first, which goes on long.
  const [, right] = double.split(STREAM, FIRST)
  double.merge(STREAM, right, 'shardId-000000000001')
  put(20)
  const { rows } = await readAll(source, position)
  assert.equal(rows.length, 40)
  ascending(rows)
  await source.close()
})

test('an ended shard is remembered until its children have positions and the list forgets it', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM)
  put(3)
  double.split(STREAM, FIRST)
  put(10)
  const source = openSource(double, { describeShardInterval: '0ms' })
  const first = await readAll(source, await source.initial())
  assert.equal((first.end as { shards: Record<string, unknown> }).shards[FIRST], 'SHARD_END')
  double.expireShard(STREAM, FIRST)
  put(10)
  const second = await readAll(source, first.end)
  put(10)
  const third = await readAll(source, second.end)
  assert.equal((third.end as { shards: Record<string, unknown> }).shards[FIRST], undefined)
  assert.equal(first.rows.length + second.rows.length + third.rows.length, 33)
  await source.close()
})

test('an end that names no children is not believed, and the shard is read on', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, { partitionKey: 'k', data: '1' })
  double.fault({ operation: 'GetRecords', times: 4, action: { kind: 'malformed-end' } })
  const source = openSource(double)
  const { rows, end } = await readAll(source, await source.initial())
  assert.equal(rows.length, 1)
  assert.equal(typeof (end as { shards: Record<string, unknown> }).shards[FIRST], 'object')
  assert.equal(source.metrics()['unconfirmedEnds'], 4)
  await source.close()
})

test('an end that names children beside a next iterator is asked for again', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, { partitionKey: 'k', data: '1' })
  const child = {
    ShardId: 'x',
    ParentShards: [FIRST],
    HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' },
  }
  double.fault({
    operation: 'GetRecords',
    times: 1,
    action: { kind: 'edit', change: (answer) => ({ ...answer, ChildShards: [child] }) as typeof answer },
  })
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.equal(rows.length, 1)
  assert.equal(source.metrics()['retries'], 1)
  await source.close()
})

test('an endpoint that never names children is read by its list of shards alone', async () => {
  const { double, clock } = scene({ shardEnd: 'after-empty' })
  const put = putter(double)
  double.createStream(STREAM)
  const nameless = ({ ChildShards: _, ...answer }: Record<string, unknown>): unknown => answer
  double.fault({ operation: 'GetRecords', action: { kind: 'edit', change: nameless as never } })
  const source = openSource(double, { describeShardInterval: '1h' })
  const position = await source.initial()
  put(10)
  double.split(STREAM, FIRST)
  put(10)
  await clock.sleep(10)
  const { rows } = await readAll(source, position)
  assert.equal(rows.length, 20)
  ascending(rows)
  await source.close()
})

test('a source is not drained while the children of an ended shard are unknown', async () => {
  const { double, clock } = scene({ shardEnd: 'after-empty' })
  double.createStream(STREAM)
  const nameless = ({ ChildShards: _, ...answer }: Record<string, unknown>): unknown => answer
  double.fault({ operation: 'GetRecords', action: { kind: 'edit', change: nameless as never } })
  const source = openSource(double)
  const position = await source.initial()
  double.split(STREAM, FIRST)
  const outdated = (answer: { Shards?: { ShardId: string }[] }): unknown => ({
    ...answer,
    Shards: answer.Shards?.filter((shard) => shard.ShardId === FIRST),
  })
  const lagging = double.fault({
    operation: 'ListShards',
    action: { kind: 'edit', change: outdated as never },
  })
  double.put(STREAM, { partitionKey: 'k', data: '1' })
  await clock.sleep(10)
  for (let reads = 0; reads < 10; reads++) {
    const before = clock.monotonic()
    assert.deepEqual(await source.read(position, never), { drained: false })
    assert.ok(clock.monotonic() > before, 'and it does not spin')
  }
  lagging.remove()
  assert.equal((await readAll(source, position)).rows.length, 1)
  await source.close()
})

test('a list that misses a shard is not acted upon', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM, { shards: 3 })
  put(30)
  const withoutOne = (answer: { Shards?: unknown[] }): unknown => ({
    ...answer,
    Shards: answer.Shards?.slice(1),
  })
  double.fault({ operation: 'ListShards', times: 2, action: { kind: 'edit', change: withoutOne as never } })
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.equal(rows.length, 30)
  await source.close()
})

test('a list that stays inconsistent is an error that says what is missing', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  const withoutOne = (answer: { Shards?: unknown[] }): unknown => ({
    ...answer,
    Shards: answer.Shards?.slice(1),
  })
  double.fault({ operation: 'ListShards', action: { kind: 'edit', change: withoutOne as never } })
  const source = openSource(double)
  await assert.rejects(
    source.initial(),
    (error) => hasCode(error, 'KINESIS_SHARD_MAP_INCONSISTENT') && /hash keys 0 to/.test(error.message),
  )
  await source.close()
})

test('a list that shows a shard twice shows it once', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM, { shards: 2 })
  put(10)
  const twice = (answer: { Shards?: unknown[] }): unknown => ({
    ...answer,
    Shards: [...(answer.Shards ?? []), ...(answer.Shards ?? [])],
  })
  double.fault({ operation: 'ListShards', action: { kind: 'edit', change: twice as never } })
  const source = openSource(double)
  assert.equal((await readAll(source, await source.initial())).rows.length, 10)
  await source.close()
})

test('a thousand shards and more are listed page by page, and a token that expires starts the list anew', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 1500 })
  double.fault({
    operation: 'ListShards',
    nth: 2,
    action: { kind: 'error', code: 'ExpiredNextTokenException' },
  })
  const source = openSource(double)
  await source.initial()
  assert.equal(source.metrics()['shardsOpen'], 1500)
  assert.equal(source.metrics()['listings'], 4)
  await source.close()
})

test('an aggregate that was sent to a shard it does not belong to is dropped whole, for its producer sends it again', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
  const low = keys.find((key) => hashKeyOf(key) < 2n ** 127n)!
  const high = keys.find((key) => hashKeyOf(key) >= 2n ** 127n)!
  const straddling = [
    { partitionKey: low, data: 'low' },
    { partitionKey: high, data: 'high' },
  ]
  double.put(STREAM, { partitionKey: low, data: aggregate(straddling) })
  double.put(STREAM, { partitionKey: low, data: aggregate(straddling.slice(0, 1)) })
  double.put(STREAM, { partitionKey: high, data: aggregate(straddling.slice(1)) })
  const source = openSource(double)
  const { rows } = await readAll(source, await source.initial())
  assert.deepEqual(rows.map((row) => row.text).sort(), ['high', 'low'])
  assert.equal(source.metrics()['misplacedAggregates'], 1)
  await source.close()
})

test('where keys do not place records, nothing is dropped for its key', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2, mode: 'ON_DEMAND', distribution: 'AUTO' })
  const parts = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => ({ partitionKey: key, data: key }))
  double.put(STREAM, { partitionKey: 'a', data: aggregate(parts) })
  const source = openSource(double)
  assert.equal((await readAll(source, await source.initial())).rows.length, 6)
  await source.close()
})

test('a reshard in the middle of a batch keeps parents and children apart', async () => {
  const { double } = scene()
  const put = putter(double)
  double.createStream(STREAM)
  put(10)
  double.split(STREAM, FIRST)
  put(10)
  const source = openSource(double)
  const first = await source.read(await source.initial(), never)
  assert.deepEqual(new Set(rowsOf(first.batch).map((row) => row.shardId)), new Set([FIRST]))
  assert.equal(first.drained, false, 'the children are still to come')
  const second = await source.read(first.batch!.range.end, never)
  assert.equal(second.batch?.rows, 10)
  await source.close()
})
