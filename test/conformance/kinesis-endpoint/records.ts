import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { GetRecordsCommand, PutRecordCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { type Ask, entry, HASH_KEYS, md5, refused, text } from './client.ts'
import { DIFFERENCES, type Differs } from './differences.ts'

const MEBIBYTE = 1024 * 1024

export function records(kinesis: Ask, differs: Differs): void {
  it('gives back what was put, in the order of rising sequence numbers', async () => {
    const stream = await kinesis().stream(1)
    const keys = ['a', 'b', 'Größe', '猫']
    const { FailedRecordCount, Records: acks } = await kinesis().client.send(
      new PutRecordsCommand({ StreamName: stream, Records: keys.map((key) => entry(key, `data of ${key}`)) }),
    )
    assert.equal(FailedRecordCount ?? 0, 0)
    const one = await kinesis().client.send(
      new PutRecordCommand({ StreamName: stream, ...entry('e', 'last') }),
    )
    const read = await kinesis().readAll(stream, 'shardId-000000000000')
    assert.deepEqual(
      read.map((record) => Buffer.from(record.Data ?? []).toString()).sort(),
      [...keys.map((key) => `data of ${key}`), 'last'].sort(),
    )
    assert.deepEqual(read.map((record) => record.PartitionKey).sort(), [...keys, 'e'].sort())
    assert.deepEqual(
      read.map((record) => record.SequenceNumber).sort(),
      [...(acks ?? []).map((ack) => ack.SequenceNumber), one.SequenceNumber].sort(),
    )
    const numbers = read.map((record) => BigInt(record.SequenceNumber ?? 0))
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => (a < b ? -1 : 1)),
    )
    assert.equal(read.at(-1)?.SequenceNumber, one.SequenceNumber)
    for (const record of read) {
      assert.match(record.SequenceNumber ?? '', /^\d{56}$/)
      assert.ok(record.ApproximateArrivalTimestamp instanceof Date)
    }
  })

  it('places a record by its explicit hash key, else by the MD5 of its partition key', async () => {
    const stream = await kinesis().stream(2)
    const half = HASH_KEYS / 2n
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const { Records: acks = [] } = await kinesis().client.send(
      new PutRecordsCommand({
        StreamName: stream,
        Records: [
          ...keys.map((key) => entry(key, key)),
          { ...entry('x', 'low'), ExplicitHashKey: '0' },
          { ...entry('x', 'high'), ExplicitHashKey: String(half) },
        ],
      }),
    )
    const shardAt = (hash: bigint): string => `shardId-00000000000${hash < half ? 0 : 1}`
    assert.deepEqual(
      acks.map((ack) => ack.ShardId),
      [...keys.map((key) => shardAt(md5(key))), shardAt(0n), shardAt(half)],
    )
  })

  it('takes at most 500 records in one call, and at least one', async () => {
    const stream = await kinesis().stream(1)
    const put = (count: number): Promise<unknown> => {
      const Records = Array.from({ length: count }, (_, i) => entry(String(i), 'x'))
      return kinesis().client.send(new PutRecordsCommand({ StreamName: stream, Records }))
    }
    for (const count of [0, 501]) {
      if (differs('puts-of-any-number-pass')) await put(count)
      else await refused(put(count), 'ValidationException')
    }
  })

  it('answers no more than Limit records, and says that more are left', async () => {
    const stream = await kinesis().stream(1)
    await kinesis().put(stream, ['1', '2', '3'])
    // A stand-in may measure how far a reader is behind in whole milliseconds.
    await delay(5)
    const ShardIterator = await kinesis().iterator(stream, 0, { ShardIteratorType: 'TRIM_HORIZON' })
    const first = await kinesis().client.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }))
    assert.deepEqual(first.Records?.map(text), ['1', '2'])
    if (differs('never-behind')) assert.equal(first.MillisBehindLatest, 0)
    else assert.ok((first.MillisBehindLatest ?? 0) > 0)
    const second = await kinesis().client.send(
      new GetRecordsCommand({ ShardIterator: first.NextShardIterator }),
    )
    assert.deepEqual(second.Records?.map(text), ['3'])
    assert.equal(second.MillisBehindLatest, 0)
    await refused(
      kinesis().client.send(new GetRecordsCommand({ ShardIterator, Limit: 10_001 })),
      differs('limit-is-a-constraint') ? 'ValidationException' : 'InvalidArgumentException',
    )
  })

  it('answers no more than 10 MiB at once', async (test) => {
    if (differs('slow-puts')) return test.skip(DIFFERENCES['slow-puts'])
    const stream = await kinesis().stream(1)
    for (let i = 0; i < 3; i++) {
      const Records = Array.from({ length: 4 }, () => ({
        PartitionKey: 'k',
        Data: Buffer.alloc(MEBIBYTE, i),
      }))
      await kinesis().client.send(new PutRecordsCommand({ StreamName: stream, Records }))
    }
    const ShardIterator = await kinesis().iterator(stream, 0, { ShardIteratorType: 'TRIM_HORIZON' })
    const { Records: got = [] } = await kinesis().client.send(new GetRecordsCommand({ ShardIterator }))
    const bytes = got.reduce((sum, record) => sum + (record.Data?.length ?? 0), 0)
    if (differs('no-size-cap')) assert.equal(bytes, 12 * MEBIBYTE)
    else assert.ok(bytes > 0 && bytes <= 10 * MEBIBYTE, `${bytes} bytes`)
  })
}
