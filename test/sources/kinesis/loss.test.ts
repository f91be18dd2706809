import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Position } from '../../../src/batch.ts'
import { type ErrorCode, hasCode } from '../../../src/errors.ts'
import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { never, openSource, readAll, rowsOf, type SeenRow, STREAM, scene } from './scene.ts'

const FIRST = 'shardId-000000000000'
const HOUR = 3_600_000

const numbered = (count: number, from = 0): { partitionKey: string; data: string }[] =>
  Array.from({ length: count }, (_, i) => ({ partitionKey: 'k', data: `r${from + i}` }))
const texts = (rows: readonly SeenRow[]): string[] => rows.map((row) => row.text)
const logged = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** Rejects with this code, and a message that names what it must. */
async function failsWith(
  work: Promise<unknown>,
  code: ErrorCode,
  ...names: readonly string[]
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(hasCode(error, code), String(error))
    for (const name of names) assert.ok(error.message.includes(name), `${error.message} names ${name}`)
    return true
  })
}

/** A query that read `r0` to `r9` and stopped. */
async function stopped(double: KinesisDouble): Promise<Position> {
  double.put(STREAM, numbered(10))
  const source = openSource(double)
  const { end } = await readAll(source, await source.initial())
  await source.close()
  return logged(end)
}

async function resumed(
  double: KinesisDouble,
  position: Position,
  failOnDataLoss: boolean,
): ReturnType<typeof readAll> {
  const source = openSource(double, { failOnDataLoss })
  try {
    await source.resume(position)
    return await readAll(source, position)
  } finally {
    await source.close()
  }
}

for (const trimmedReads of ['resume', 'stuck', 'refuse'] as const) {
  test(`a checkpoint older than the retention fails, when the service answers it so: ${trimmedReads}`, async () => {
    const { double, clock } = scene({ trimmedReads })
    double.createStream(STREAM)
    const position = await stopped(double)
    double.put(STREAM, numbered(5, 10))
    await clock.sleep(25 * HOUR)
    double.put(STREAM, numbered(5, 15))
    await failsWith(resumed(double, position, true), 'KINESIS_DATA_LOSS', FIRST, STREAM, 'failOnDataLoss')
    const { rows } = await resumed(double, position, false)
    assert.deepEqual(texts(rows), ['r15', 'r16', 'r17', 'r18', 'r19'])
  })

  test(`records that are trimmed although they are young are noticed as well: ${trimmedReads}`, async () => {
    const { double } = scene({ trimmedReads })
    double.createStream(STREAM)
    const position = await stopped(double)
    const acks = double.put(STREAM, numbered(10, 10))
    double.trim(STREAM, FIRST, acks[4]!.sequenceNumber)
    await failsWith(resumed(double, position, true), 'KINESIS_DATA_LOSS', FIRST)
    const { rows } = await resumed(double, position, false)
    assert.deepEqual(texts(rows), ['r15', 'r16', 'r17', 'r18', 'r19'])
  })

  test(`a checkpoint inside an aggregate that was trimmed is noticed: ${trimmedReads}`, async () => {
    const { double } = scene({ trimmedReads })
    double.createStream(STREAM)
    double.put(STREAM, { partitionKey: 'k', data: aggregate(numbered(6)) })
    const source = openSource(double, { maxFetchRecordsPerShard: 3 })
    const { batch } = await source.read(await source.initial(), never)
    const position = logged(batch!.range.end)
    double.trim(STREAM, FIRST)
    double.put(STREAM, numbered(2, 6))
    await failsWith(resumed(double, position, true), 'KINESIS_DATA_LOSS', FIRST)
    const { rows } = await resumed(double, position, false)
    assert.deepEqual(texts(rows), ['r6', 'r7'])
    await source.close()
  })
}

test('a loss that is tolerated is counted', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const position = await stopped(double)
  double.trim(STREAM, FIRST)
  const source = openSource(double, { failOnDataLoss: false })
  await source.resume(position)
  await readAll(source, position)
  assert.equal(source.metrics()['lostRanges'], 1)
  await source.close()
})

test('a quiet shard that was seen at its tip within the retention has lost nothing, however old its last record', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM, { shards: 2 })
  const [low, high] = double.shards(STREAM)
  double.seed(STREAM, [{ partitionKey: 'k', data: 'old' }], { shardId: low!.id })
  const source = openSource(double)
  let position = await source.initial()
  for (let hour = 0; hour < 30; hour += 10) {
    await clock.sleep(10 * HOUR)
    double.seed(STREAM, [{ partitionKey: 'k', data: `${hour}` }], { shardId: high!.id })
    position = (await readAll(source, position)).end
  }
  await source.close()
  double.seed(STREAM, [{ partitionKey: 'k', data: 'new' }], { shardId: low!.id })
  const { rows } = await resumed(double, logged(position), true)
  assert.deepEqual(texts(rows), ['new'])
})

test('a timestamp, or a shard that was never read, from before the retention may have missed records', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  const source = openSource(double, { startingPosition: 'latest' })
  const position = logged(await source.initial())
  await source.close()
  double.put(STREAM, numbered(3))
  await clock.sleep(25 * HOUR)
  await failsWith(resumed(double, position, true), 'KINESIS_DATA_LOSS', FIRST, 'retention')
})

test('a child that was known and not read yet, from before the retention, may have missed records', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(3))
  double.split(STREAM, FIRST)
  const source = openSource(double)
  const { batch } = await source.read(await source.initial(), never)
  await source.close()
  double.put(STREAM, numbered(3, 3))
  await clock.sleep(25 * HOUR)
  double.put(STREAM, numbered(3, 6))
  await failsWith(resumed(double, logged(batch!.range.end), true), 'KINESIS_DATA_LOSS', 'retention')
})

test('a running query that falls behind the retention is told so, and not served a gap', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(2))
  const source = openSource(double, { maxRecordPerRead: 1, maxFetchRecordsPerShard: 1 })
  const { batch } = await source.read(await source.initial(), never)
  await clock.sleep(30 * HOUR)
  double.put(STREAM, numbered(1, 2))
  await failsWith(source.read(batch!.range.end, never), 'KINESIS_DATA_LOSS', FIRST)
  await source.close()
})

test('at the edge of the retention each record is proven to follow the last, one at a time if need be', async () => {
  for (const maxRecordPerRead of [1, 2, 100]) {
    const { double, clock } = scene()
    double.createStream(STREAM)
    double.put(STREAM, numbered(6))
    await clock.sleep(24 * HOUR - 50_000)
    const source = openSource(double, { maxRecordPerRead })
    const { rows } = await readAll(source, await source.initial())
    assert.deepEqual(
      texts(rows),
      numbered(6).map((record) => record.data),
    )
    await source.close()
  }
})

test('a shard that expired before it was read to its end fails when the query resumes', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const position = await stopped(double)
  double.put(STREAM, numbered(5, 10))
  double.split(STREAM, FIRST)
  double.expireShard(STREAM, FIRST)
  double.put(STREAM, numbered(5, 15))
  await failsWith(resumed(double, position, true), 'KINESIS_DATA_LOSS', FIRST, 'expired')
  const { rows } = await resumed(double, position, false)
  assert.deepEqual(texts(rows).sort(), ['r15', 'r16', 'r17', 'r18', 'r19'])
})

test('a shard that expires under a running query is a loss as well', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(4))
  const source = openSource(double, { maxFetchRecordsPerShard: 2, maxRecordPerRead: 2 })
  const { batch } = await source.read(await source.initial(), never)
  double.split(STREAM, FIRST)
  double.expireShard(STREAM, FIRST)
  await failsWith(source.read(batch!.range.end, never), 'KINESIS_DATA_LOSS', FIRST)
  await source.close()
})

test('an expired shard that had been read to its end is forgotten quietly', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(5))
  double.split(STREAM, FIRST)
  double.put(STREAM, numbered(5, 5))
  const source = openSource(double)
  const { end } = await readAll(source, await source.initial())
  await source.close()
  double.expireShard(STREAM, FIRST)
  double.put(STREAM, numbered(5, 10))
  const { rows } = await resumed(double, logged(end), true)
  assert.equal(rows.length, 5)
})

test('a stream that was deleted and created again under its name is another stream', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  const position = await stopped(double)
  double.deleteStream(STREAM)
  await clock.sleep(60_000)
  double.createStream(STREAM)
  double.put(STREAM, numbered(3, 100))
  await failsWith(resumed(double, position, true), 'KINESIS_STREAM_REPLACED', STREAM, 'checkpointLocation')
  const { rows, end } = await resumed(double, position, false)
  assert.deepEqual(texts(rows), ['r100', 'r101', 'r102'])
  // From then on it is the new stream's position that counts.
  double.put(STREAM, numbered(1, 103))
  assert.deepEqual(texts((await resumed(double, logged(end), true)).rows), ['r103'])
})

test('a stream that is replaced under a running query is noticed', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  const source = openSource(double)
  const { end } = await readAll(source, await source.initial())
  double.deleteStream(STREAM)
  await clock.sleep(60_000)
  double.createStream(STREAM)
  await failsWith(readAll(source, end), 'KINESIS_STREAM_REPLACED', STREAM)
  await source.close()
})

test('a stream that is deleted under a running query is named', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const source = openSource(double)
  const { end } = await readAll(source, await source.initial())
  double.deleteStream(STREAM)
  await failsWith(readAll(source, end), 'KINESIS_STREAM_NOT_FOUND', STREAM, 'us-east-1')
  await source.close()
})

for (const trimmedReads of ['resume', 'stuck', 'refuse'] as const) {
  test(`a re-read that comes back short fails and names shard and range: ${trimmedReads}`, async () => {
    const { double } = scene({ trimmedReads })
    double.createStream(STREAM)
    const acks = double.put(STREAM, numbered(10))
    const source = openSource(double, { maxFetchRecordsPerShard: 5 })
    const first = await source.read(await source.initial(), never)
    const second = await source.read(first.batch!.range.end, never)
    const range = logged(second.batch!.range)
    await source.close()
    double.trim(STREAM, FIRST, acks[6]!.sequenceNumber)
    const strict = openSource(double)
    await failsWith(
      strict.reread(range),
      'KINESIS_DATA_LOSS',
      FIRST,
      acks[4]!.sequenceNumber,
      acks[9]!.sequenceNumber,
    )
    await strict.close()
    const lax = openSource(double, { failOnDataLoss: false })
    assert.deepEqual(texts(rowsOf(await lax.reread(range))), ['r7', 'r8', 'r9'])
    assert.equal(lax.metrics()['lostRows'], 2)
    await lax.close()
  })

  test(`a re-read whose start is trimmed, and whose rows are all there, is whole: ${trimmedReads}`, async () => {
    const { double } = scene({ trimmedReads })
    double.createStream(STREAM)
    const acks = double.put(STREAM, numbered(10))
    const source = openSource(double, { maxFetchRecordsPerShard: 5 })
    const first = await source.read(await source.initial(), never)
    const second = await source.read(first.batch!.range.end, never)
    double.trim(STREAM, FIRST, acks[4]!.sequenceNumber)
    const again = await source.reread(second.batch!.range)
    assert.equal(again.digest, second.batch!.digest)
    await source.close()
  })
}

test('a re-read whose end is gone is short', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(4))
  const source = openSource(double)
  const { batch } = await source.read(await source.initial(), never)
  double.trim(STREAM, FIRST)
  await failsWith(
    source.reread(batch!.range),
    'KINESIS_DATA_LOSS',
    FIRST,
    'gave 0 rows where the batch had 4',
  )
  await source.close()
})

test('a re-read of a shard that has expired is a loss', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(4))
  double.split(STREAM, FIRST)
  const source = openSource(double)
  const { batch } = await source.read(await source.initial(), never)
  double.expireShard(STREAM, FIRST)
  await failsWith(source.reread(batch!.range), 'KINESIS_DATA_LOSS', FIRST)
  await source.close()
})

test('a range of another stream is refused', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  double.put(STREAM, numbered(4))
  const source = openSource(double)
  const { batch } = await source.read(await source.initial(), never)
  await source.close()
  double.deleteStream(STREAM)
  await clock.sleep(60_000)
  double.createStream(STREAM)
  const other = openSource(double)
  await failsWith(other.reread(batch!.range), 'KINESIS_STREAM_REPLACED')
  await other.close()
  double.put(STREAM, numbered(4, 10))
  const lax = openSource(double, { failOnDataLoss: false })
  assert.equal((await lax.reread(batch!.range)).rows, 0, 'rows of another stream are no replay')
  assert.equal(lax.metrics()['lostRows'], 4)
  await lax.close()
})
