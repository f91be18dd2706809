import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DeleteStreamCommand, GetRecordsCommand, PutRecordCommand } from '@aws-sdk/client-kinesis'
import { type Ask, entry, refused, type Start, text } from './client.ts'
import type { Differs } from './differences.ts'

export function iterators(kinesis: Ask, differs: Differs): void {
  it('starts at, after, at the oldest, at the newest and at a time', async () => {
    const stream = await kinesis().stream(1)
    await kinesis().put(stream, ['1', '2', '3'])
    const [, second] = await kinesis().readAll(stream, 'shardId-000000000000')
    const from = async (start: Start): Promise<(string | undefined)[]> => {
      const ShardIterator = await kinesis().iterator(stream, 0, start)
      return ((await kinesis().client.send(new GetRecordsCommand({ ShardIterator }))).Records ?? []).map(text)
    }
    const StartingSequenceNumber = second?.SequenceNumber
    const epoch = new Date(0)
    assert.deepEqual(await from({ ShardIteratorType: 'TRIM_HORIZON' }), ['1', '2', '3'])
    assert.deepEqual(await from({ ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber }), [
      '2',
      '3',
    ])
    assert.deepEqual(await from({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber }), [
      '3',
    ])
    assert.deepEqual(await from({ ShardIteratorType: 'LATEST' }), [])
    assert.deepEqual(await from({ ShardIteratorType: 'AT_TIMESTAMP', Timestamp: epoch }), ['1', '2', '3'])
  })

  it('finds at LATEST what is put after the iterator was taken', async () => {
    const stream = await kinesis().stream(1)
    await kinesis().put(stream, ['before'])
    const ShardIterator = await kinesis().iterator(stream, 0, { ShardIteratorType: 'LATEST' })
    await kinesis().put(stream, ['after'])
    const { Records: got } = await kinesis().client.send(new GetRecordsCommand({ ShardIterator }))
    assert.deepEqual(got?.map(text), ['after'])
  })

  it('refuses a time that has not come, and answers one after the last record', async () => {
    const stream = await kinesis().stream(1)
    await kinesis().put(stream, ['1'])
    const future = new Date(Date.now() + 3_600_000)
    await refused(
      kinesis().iterator(stream, 0, { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: future }),
      'InvalidArgumentException',
    )
    await delay(20)
    const Timestamp = new Date(Date.now() - 5)
    const asked = kinesis().iterator(
      stream,
      0,
      { ShardIteratorType: 'AT_TIMESTAMP', Timestamp },
      AbortSignal.timeout(500),
    )
    if (differs('silent-at-timestamp')) await assert.rejects(asked)
    else
      assert.deepEqual(
        (await kinesis().client.send(new GetRecordsCommand({ ShardIterator: await asked }))).Records,
        [],
      )
  })

  it('refuses an iterator that it never issued', async () => {
    const asked = kinesis().client.send(new GetRecordsCommand({ ShardIterator: 'AAAAAAAAAAHQx1c=' }))
    if (!differs('bad-iterator-is-a-server-error')) return await refused(asked, 'InvalidArgumentException')
    await assert.rejects(
      asked,
      (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode === 500,
    )
  })

  it('refuses iterator types and sequence numbers that do not go together', async () => {
    const stream = await kinesis().stream(1)
    const [ack] = await kinesis().put(stream, ['1'])
    const StartingSequenceNumber = ack?.SequenceNumber
    await refused(
      kinesis().iterator(stream, 0, { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER' }),
      'InvalidArgumentException',
    )
    const asked = kinesis().iterator(stream, 0, { ShardIteratorType: 'LATEST', StartingSequenceNumber })
    if (differs('needless-sequence-numbers-pass')) await asked
    else await refused(asked, 'InvalidArgumentException')
  })

  it('refuses a sequence number of another shard', async () => {
    const stream = await kinesis().stream(2)
    const ack = await kinesis().client.send(
      new PutRecordCommand({ StreamName: stream, ...entry('x', '1'), ExplicitHashKey: '0' }),
    )
    const StartingSequenceNumber = ack.SequenceNumber
    const asked = kinesis().iterator(stream, 1, {
      ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
      StartingSequenceNumber,
    })
    if (differs('foreign-sequence-numbers-pass')) await asked
    else await refused(asked, 'InvalidArgumentException', /It encodes shardId-000000000000/)
  })

  it('refuses a sequence number of a stream that was deleted and created again', async () => {
    const stream = await kinesis().stream(1)
    const [ack] = await kinesis().put(stream, ['1'])
    await kinesis().client.send(new DeleteStreamCommand({ StreamName: stream }))
    await kinesis().gone(stream)
    // Sequence numbers carry the second in which their shard was created.
    await delay(1100)
    await kinesis().stream(1, stream)
    const StartingSequenceNumber = ack?.SequenceNumber
    const asked = kinesis().iterator(stream, 0, {
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber,
    })
    if (differs('foreign-sequence-numbers-pass')) await asked
    else await refused(asked, 'InvalidArgumentException', /did not come from this stream/)
  })
}
