import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { LimitKind } from '../../../src/testing/kinesis/limits.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const FIRST = 'shardId-000000000000'
const PTE = 'ProvisionedThroughputExceededException'
const MEBIBYTE = 1024 * 1024

function scene(...enforceLimits: LimitKind[]): { clock: ManualClock; double: KinesisDouble } {
  const clock = new ManualClock()
  const double = new KinesisDouble({ clock, enforceLimits })
  double.createStream('s')
  return { clock, double }
}

async function iteratorOf(double: KinesisDouble): Promise<string> {
  const ask = { StreamName: 's', ShardId: FIRST, ShardIteratorType: 'TRIM_HORIZON' } as const
  return (await double.handle('GetShardIterator', ask)).ShardIterator ?? ''
}

function outcome(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'ok',
    (error: Error) => error.name,
  )
}

test('a shard answers five reads in any second', async () => {
  const { clock, double } = scene('reads')
  const ShardIterator = await iteratorOf(double)
  const read = (): Promise<string> => outcome(double.handle('GetRecords', { ShardIterator }))
  for (let i = 0; i < 5; i++) {
    assert.equal(await read(), 'ok')
    await clock.advance(100)
  }
  assert.equal(await read(), PTE)
  await clock.advance(499)
  assert.equal(await read(), PTE)
  await clock.advance(1)
  assert.equal(await read(), 'ok')
  assert.equal(await read(), PTE)
})

test('after more than 2 MiB the next second is refused', async () => {
  const { clock, double } = scene('reads')
  double.seed(
    's',
    Array.from({ length: 3 }, () => ({ partitionKey: 'k', data: Buffer.alloc(MEBIBYTE) })),
  )
  const ShardIterator = await iteratorOf(double)
  const read = (): Promise<string> => outcome(double.handle('GetRecords', { ShardIterator }))
  assert.equal(await read(), 'ok')
  await clock.advance(999)
  assert.equal(await read(), PTE)
  await clock.advance(1)
  assert.equal(await read(), 'ok')
})

test('after an answer of 10 MiB the next five seconds are refused', async () => {
  const { clock, double } = scene('reads')
  double.seed(
    's',
    Array.from({ length: 12 }, () => ({ partitionKey: 'k', data: Buffer.alloc(MEBIBYTE) })),
  )
  const ShardIterator = await iteratorOf(double)
  const read = (): Promise<string> => outcome(double.handle('GetRecords', { ShardIterator }))
  assert.equal(await read(), 'ok')
  await clock.advance(4999)
  assert.equal(await read(), PTE)
  await clock.advance(1)
  assert.equal(await read(), 'ok')
})

test('a shard takes 1,000 records and 1 MiB in a second; what is above fails entry by entry', async () => {
  const { clock, double } = scene('writes')
  const put = async (count: number, bytes: number): Promise<number | undefined> => {
    const Records = Array.from({ length: count }, () => ({ PartitionKey: 'k', Data: Buffer.alloc(bytes) }))
    return (await double.handle('PutRecords', { StreamName: 's', Records })).FailedRecordCount
  }
  assert.equal(await put(500, 1), 0)
  assert.equal(await put(500, 1), 0)
  assert.equal(await put(3, 1), 3)
  await clock.advance(1000)
  assert.equal(await put(4, MEBIBYTE / 2), 2)
  assert.equal(
    await outcome(double.handle('PutRecord', { StreamName: 's', PartitionKey: 'k', Data: Buffer.alloc(1) })),
    PTE,
  )
  await clock.advance(1000)
  assert.equal(await put(1, 1), 0)
})

test('describing too often is refused for the whole account', async () => {
  const { clock, double } = scene('control')
  const describe = (): Promise<string> => outcome(double.handle('DescribeStreamSummary', { StreamName: 's' }))
  for (let i = 0; i < 20; i++) assert.equal(await describe(), 'ok')
  assert.equal(await describe(), 'LimitExceededException')
  await clock.advance(1000)
  assert.equal(await describe(), 'ok')
})

test('without limits everything is answered', async () => {
  const { double } = scene()
  const ShardIterator = await iteratorOf(double)
  for (let i = 0; i < 50; i++) await double.handle('GetRecords', { ShardIterator })
})
