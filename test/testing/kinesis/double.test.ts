import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KinesisDouble, type KinesisDoubleOptions } from '../../../src/testing/kinesis/double.ts'
import type { InputOf, OutputOf } from '../../../src/testing/kinesis/operations.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const seed = process.env['SLUICE_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }
const FIRST = 'shardId-000000000000'
const HOUR_MS = 3_600_000
const HASH_KEYS = 2n ** 128n

type Start = Omit<InputOf<'GetShardIterator'>, 'StreamName' | 'ShardId'>

function scene(options: KinesisDoubleOptions = {}): { clock: ManualClock; double: KinesisDouble } {
  const clock = new ManualClock()
  const double = new KinesisDouble({ clock, ...options })
  double.createStream('s')
  return { clock, double }
}

async function open(double: KinesisDouble, start: Start, shardId = FIRST): Promise<string> {
  const answer = await double.handle('GetShardIterator', { StreamName: 's', ShardId: shardId, ...start })
  return answer.ShardIterator ?? ''
}

const oldest: Start = { ShardIteratorType: 'TRIM_HORIZON' }

function get(
  double: KinesisDouble,
  ShardIterator: string | undefined,
  Limit?: number,
): Promise<OutputOf<'GetRecords'>> {
  return double.handle('GetRecords', { ShardIterator, Limit })
}

function texts(answer: OutputOf<'GetRecords'>): string[] {
  return (answer.Records ?? []).map((record) => Buffer.from(record.Data ?? []).toString())
}

function entries(...data: string[]): { partitionKey: string; data: string }[] {
  return data.map((each) => ({ partitionKey: 'k', data: each }))
}

describe('time', () => {
  test('a stream is CREATING for as long as asked, and takes nothing meanwhile', async () => {
    const { clock, double } = scene({ createStreamMs: 1000 })
    const status = async (): Promise<string | undefined> =>
      (await double.handle('DescribeStreamSummary', { StreamName: 's' })).StreamDescriptionSummary
        ?.StreamStatus
    assert.equal(await status(), 'CREATING')
    await assert.rejects(open(double, oldest), { name: 'ResourceInUseException' })
    await clock.advance(1000)
    assert.equal(await status(), 'ACTIVE')
    await open(double, oldest)
  })

  test('an iterator lives five minutes', async () => {
    const { clock, double } = scene()
    const iterator = await open(double, oldest)
    await clock.advance(300_000)
    await get(double, iterator)
    await clock.advance(1)
    await assert.rejects(get(double, iterator), {
      name: 'ExpiredIteratorException',
      message: /300000 milliseconds/,
    })
  })

  test('a page token lives five minutes', async () => {
    const { clock, double } = scene()
    double.split('s', FIRST)
    const { NextToken } = await double.handle('ListShards', { StreamName: 's', MaxResults: 1 })
    await clock.advance(300_000)
    assert.equal((await double.handle('ListShards', { NextToken })).Shards?.length, 2)
    await clock.advance(1)
    await assert.rejects(double.handle('ListShards', { NextToken }), { name: 'ExpiredNextTokenException' })
  })

  test('records and closed shards go when retention is over', async () => {
    const { clock, double } = scene()
    double.put('s', entries('old'))
    const [left] = double.split('s', FIRST)
    const waiting = await open(double, oldest)
    await clock.advance(23 * HOUR_MS)
    double.put('s', { partitionKey: 'k', explicitHashKey: '0', data: 'new' })
    assert.equal(double.shards('s').length, 3)
    await clock.advance(HOUR_MS + 1)
    await assert.rejects(open(double, oldest), {
      name: 'ResourceNotFoundException',
      message: /does not exist/,
    })
    await assert.rejects(get(double, waiting), { name: 'ExpiredIteratorException' })
    const { Shards } = await double.handle('ListShards', { StreamName: 's' })
    assert.ok(!Shards?.some((shard) => shard.ShardId === FIRST))
    assert.deepEqual(texts(await get(double, await open(double, oldest, left))), ['new'])
  })

  test('a longer retention keeps what the default would have dropped', async () => {
    const { clock, double } = scene()
    await double.handle('IncreaseStreamRetentionPeriod', { StreamName: 's', RetentionPeriodHours: 48 })
    double.put('s', entries('1'))
    await clock.advance(30 * HOUR_MS)
    assert.deepEqual(texts(await get(double, await open(double, oldest))), ['1'])
  })

  test('lists shards as of a time', async () => {
    const { clock, double } = scene()
    const start = clock.now()
    await clock.advance(1000)
    double.split('s', FIRST)
    await clock.advance(1000)
    const ids = async (ShardFilter: InputOf<'ListShards'>['ShardFilter']): Promise<number[]> =>
      ((await double.handle('ListShards', { StreamName: 's', ShardFilter })).Shards ?? []).map((shard) =>
        Number(shard.ShardId?.slice(-1)),
      )
    assert.deepEqual(await ids({ Type: 'AT_TIMESTAMP', Timestamp: new Date(start + 500) }), [0])
    assert.deepEqual(await ids({ Type: 'AT_TIMESTAMP', Timestamp: new Date(start + 1500) }), [1, 2])
    assert.deepEqual(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: new Date(start + 500) }), [0, 1, 2])
    assert.deepEqual(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: new Date(start + 1500) }), [1, 2])
    assert.deepEqual(await ids({ Type: 'AT_TRIM_HORIZON' }), [0])
    assert.deepEqual(await ids({ Type: 'FROM_TRIM_HORIZON' }), [0, 1, 2])
    assert.deepEqual(await ids({ Type: 'AT_LATEST' }), [1, 2])
  })
})

describe('reading', () => {
  test('says 0 behind only when nothing is left, also within one millisecond', async () => {
    const { double } = scene()
    double.put('s', entries('1', '2'))
    const first = await get(double, await open(double, oldest), 1)
    assert.deepEqual([texts(first), first.MillisBehindLatest], [['1'], 1])
    const second = await get(double, first.NextShardIterator, 1)
    assert.deepEqual([texts(second), second.MillisBehindLatest], [['2'], 0])
  })

  test('caps an answer at 10 MiB, yet always lets one record through', async () => {
    const { double } = scene()
    const data = Buffer.alloc(4 * 1024 * 1024)
    double.seed(
      's',
      [4, 4, 4, 11].map((megabytes) => ({ partitionKey: 'k', data: data.subarray(0, megabytes << 20) })),
    )
    double.put('s', { partitionKey: 'k', data: Buffer.alloc(11 << 20) })
    const first = await get(double, await open(double, oldest))
    assert.equal(first.Records?.length, 2)
    const second = await get(double, first.NextShardIterator)
    assert.equal(second.Records?.length, 2)
    assert.equal((await get(double, second.NextShardIterator)).Records?.length, 1)
  })

  test('ends a closed shard together with its last records, or in one more answer when told so', async () => {
    for (const shardEnd of ['with-records', 'after-empty'] as const) {
      const { double } = scene({ shardEnd })
      double.put('s', entries('1'))
      const iterator = await open(double, oldest)
      const children = double.split('s', FIRST)
      let answer = await get(double, iterator)
      assert.deepEqual(texts(answer), ['1'])
      if (shardEnd === 'after-empty') {
        assert.equal(answer.ChildShards, undefined)
        answer = await get(double, answer.NextShardIterator)
        assert.deepEqual(texts(answer), [])
      }
      assert.equal(answer.NextShardIterator, undefined)
      assert.deepEqual(
        answer.ChildShards?.map((child) => child.ShardId),
        children,
      )
    }
  })

  test('a closed shard that never held a record ends at once', async () => {
    const { double } = scene()
    const iterator = await open(double, { ShardIteratorType: 'LATEST' })
    double.split('s', FIRST)
    const answer = await get(double, iterator)
    assert.deepEqual(
      [texts(answer), answer.NextShardIterator, answer.ChildShards?.length],
      [[], undefined, 2],
    )
  })

  test('a gap takes its number of empty answers, and starts over with a new iterator', async () => {
    const { double } = scene()
    const [before] = double.put('s', entries('before'))
    double.gap('s', FIRST, 2)
    double.put('s', entries('beyond'))
    const after: Start = {
      ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
      StartingSequenceNumber: before?.sequenceNumber,
    }
    const hops = async (iterator: string): Promise<string[][]> => {
      const seen: string[][] = []
      let next: string | undefined = iterator
      while (seen.at(-1)?.at(-1) !== 'beyond') {
        const answer = await get(double, next)
        seen.push(texts(answer))
        if (seen.at(-1)?.length === 0) assert.ok((answer.MillisBehindLatest ?? 0) > 0)
        next = answer.NextShardIterator
      }
      return seen
    }
    assert.deepEqual(await hops(await open(double, oldest)), [['before'], [], [], ['beyond']])
    const first = await get(double, await open(double, after))
    assert.deepEqual(texts(first), [])
    assert.deepEqual(await hops(await open(double, after)), [[], [], ['beyond']])
  })

  test('a gap at the tip is crossed once, and one at the end of a closed shard does not hide the end', async () => {
    const { double } = scene()
    double.gap('s', FIRST, 1)
    const hop = await get(double, await open(double, oldest))
    const tip = await get(double, hop.NextShardIterator)
    assert.deepEqual([hop.MillisBehindLatest, tip.MillisBehindLatest], [1, 0])
    double.split('s', FIRST)
    assert.equal((await get(double, tip.NextShardIterator)).ChildShards?.length, 2)
  })

  for (const trimmedReads of ['resume', 'stuck', 'refuse'] as const) {
    test(`a trimmed position: ${trimmedReads}`, async () => {
      const { double } = scene({ trimmedReads })
      const acks = double.put('s', entries('1', '2', '3'))
      double.trim('s', FIRST, acks[1]?.sequenceNumber)
      const at = (type: Start['ShardIteratorType'], i: number): Promise<string> =>
        open(double, { ShardIteratorType: type, StartingSequenceNumber: acks[i]?.sequenceNumber })
      // Nothing is lost after the last trimmed record, whatever happens before it.
      assert.deepEqual(texts(await get(double, await at('AFTER_SEQUENCE_NUMBER', 1))), ['3'])
      assert.deepEqual(texts(await get(double, await open(double, oldest))), ['3'])
      if (trimmedReads === 'refuse') {
        await assert.rejects(at('AFTER_SEQUENCE_NUMBER', 0), {
          name: 'InvalidArgumentException',
          message: /StartingSequenceNumber/,
        })
        return
      }
      let answer = await get(double, await at('AFTER_SEQUENCE_NUMBER', 0))
      if (trimmedReads === 'resume') return assert.deepEqual(texts(answer), ['3'])
      for (let i = 0; i < 3; i++) {
        assert.deepEqual([texts(answer), answer.MillisBehindLatest], [[], 86_400_000])
        answer = await get(double, answer.NextShardIterator)
      }
    })
  }

  test('an iterator does not outlive its stream', async () => {
    const { double } = scene()
    const iterator = await open(double, oldest)
    double.deleteStream('s')
    await assert.rejects(get(double, iterator), { name: 'ResourceNotFoundException' })
    double.createStream('s')
    await assert.rejects(get(double, iterator), { name: 'ResourceNotFoundException' })
  })

  test('a stream created again is younger than the one before, whatever the clock says', async () => {
    const { double } = scene()
    const created = async (): Promise<number> =>
      (
        await double.handle('DescribeStreamSummary', { StreamName: 's' })
      ).StreamDescriptionSummary?.StreamCreationTimestamp?.getTime() ?? 0
    const [ack] = double.put('s', entries('1'))
    const before = await created()
    double.deleteStream('s')
    double.createStream('s')
    assert.ok((await created()) > before)
    await assert.rejects(
      open(double, {
        ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
        StartingSequenceNumber: ack?.sequenceNumber,
      }),
      { name: 'InvalidArgumentException', message: /did not come from this stream/ },
    )
  })

  test('an expired shard is gone for readers and lists', async () => {
    const { double } = scene()
    const iterator = await open(double, oldest)
    double.split('s', FIRST)
    double.expireShard('s', FIRST)
    await assert.rejects(get(double, iterator), {
      name: 'ResourceNotFoundException',
      message: /does not exist/,
    })
    assert.deepEqual((await double.handle('ListShards', { StreamName: 's' })).Shards?.length, 2)
  })
})

describe('streams', () => {
  test('an ARN of another region or account is not found', async () => {
    const { double } = scene()
    const arn = 'arn:aws:kinesis:us-east-1:123456789012:stream/s'
    assert.equal((await double.handle('ListShards', { StreamARN: arn })).Shards?.length, 1)
    for (const other of [
      arn.replace('us-east-1', 'eu-west-1'),
      arn.replace('123456789012', '210987654321'),
    ]) {
      await assert.rejects(double.handle('ListShards', { StreamARN: other }), {
        name: 'ResourceNotFoundException',
      })
    }
  })

  test('AUTO distribution takes records without a key and deals them out in turn', async () => {
    const { double } = scene()
    await double.handle('CreateStream', {
      StreamName: 'auto',
      ShardCount: 2,
      RecordDistributionStrategy: 'AUTO',
    })
    const Records = [0, 1, 2, 3].map((i) => ({ Data: Buffer.from(String(i)) }))
    const { Records: acks } = await double.handle('PutRecords', { StreamName: 'auto', Records })
    assert.deepEqual(
      acks?.map((ack) => ack.ShardId?.slice(-1)),
      ['0', '1', '0', '1'],
    )
    assert.ok(!('PartitionKey' in (double.records('auto', FIRST)[0] ?? {})))
    await assert.rejects(double.handle('PutRecords', { StreamName: 's', Records }), {
      name: 'ValidationException',
    })
  })

  test('records of an encrypted stream say so, and its summary names the key', async () => {
    const { double } = scene()
    double.createStream('secret', { kmsKeyId: 'alias/orders' })
    double.put('secret', entries('1'))
    assert.equal(double.records('secret', FIRST)[0]?.EncryptionType, 'KMS')
    const { StreamDescriptionSummary: summary } = await double.handle('DescribeStreamSummary', {
      StreamName: 'secret',
    })
    assert.deepEqual([summary?.EncryptionType, summary?.KeyId], ['KMS', 'alias/orders'])
  })

  test('records above the size limit of the stream are refused', async () => {
    const { double } = scene()
    const Data = Buffer.alloc(1024 * 1024 + 1)
    await assert.rejects(double.handle('PutRecord', { StreamName: 's', PartitionKey: 'k', Data }), {
      name: 'ValidationException',
    })
    double.createStream('large', { maxRecordSizeInKiB: 10_240 })
    await double.handle('PutRecord', { StreamName: 'large', PartitionKey: 'k', Data })
  })
})

test('open shards cover the hash key space after any resharding, and every key finds its shard', async () => {
  const step = fc.record({
    kind: fc.constantFrom('split', 'merge', 'scale'),
    pick: fc.nat(1000),
    to: fc.integer({ min: 1, max: 9 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 12 }),
      async (shards, steps) => {
        const { double } = scene()
        double.createStream('t', { shards })
        const openShards = async (): Promise<{ id: string; start: bigint; end: bigint }[]> =>
          (
            (await double.handle('ListShards', { StreamName: 't', ShardFilter: { Type: 'AT_LATEST' } }))
              .Shards ?? []
          )
            .map((shard) => ({
              id: shard.ShardId ?? '',
              start: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
              end: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0),
            }))
            .sort((a, b) => (a.start < b.start ? -1 : 1))
        for (const { kind, pick, to } of steps) {
          const all = await openShards()
          const i = pick % all.length
          if (kind === 'scale') double.scale('t', to)
          else if (kind === 'split') double.split('t', all[i]!.id)
          else if (i + 1 < all.length) double.merge('t', all[i + 1]!.id, all[i]!.id)
        }
        const all = await openShards()
        assert.equal(all[0]?.start, 0n)
        assert.equal(all.at(-1)?.end, HASH_KEYS - 1n)
        for (const [i, shard] of all.slice(1).entries()) assert.equal(shard.start, all[i]!.end + 1n)
        for (const shard of all) {
          for (const key of [shard.start, shard.end]) {
            const [ack] = double.put('t', { explicitHashKey: String(key), data: 'x' })
            assert.equal(ack?.shardId, shard.id)
          }
        }
      },
    ),
    replay,
  )
})
