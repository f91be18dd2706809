import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  CreateStreamCommand,
  DecreaseStreamRetentionPeriodCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  IncreaseStreamRetentionPeriodCommand,
  ListShardsCommand,
  ListStreamsCommand,
} from '@aws-sdk/client-kinesis'
import { type Ask, refused } from './client.ts'
import type { Differs } from './differences.ts'

export function streams(kinesis: Ask, differs: Differs): void {
  it('creates, describes, lists and deletes a stream', async () => {
    const { client } = kinesis()
    const stream = await kinesis().stream(2)
    const { StreamDescriptionSummary: summary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: stream }),
    )
    assert.equal(summary?.StreamStatus, 'ACTIVE')
    assert.equal(summary?.OpenShardCount, 2)
    assert.equal(summary?.RetentionPeriodHours, 24)
    assert.match(summary?.StreamARN ?? '', new RegExp(`^arn:aws:kinesis:us-east-1:\\d{12}:stream/${stream}$`))
    assert.ok(summary?.StreamCreationTimestamp instanceof Date)
    assert.ok((await client.send(new ListStreamsCommand({}))).StreamNames?.includes(stream))
    await client.send(new DeleteStreamCommand({ StreamName: stream }))
    await kinesis().gone(stream)
    assert.ok(!(await client.send(new ListStreamsCommand({}))).StreamNames?.includes(stream))
  })

  it('refuses a stream that is not there and a name that is taken', async () => {
    const { client } = kinesis()
    const stream = await kinesis().stream(1)
    await refused(
      client.send(new ListShardsCommand({ StreamName: 'nowhere' })),
      'ResourceNotFoundException',
      /nowhere/,
    )
    await refused(
      client.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 1 })),
      'ResourceInUseException',
    )
  })

  it('takes the ARN in place of the name', async () => {
    const stream = await kinesis().stream(1)
    const StreamARN = await kinesis().arn(stream)
    const asked = kinesis().client.send(new ListShardsCommand({ StreamARN }))
    if (differs('no-arn')) return await refused(asked, 'InvalidArgumentException')
    assert.equal((await asked).Shards?.length, 1)
  })

  it('raises and lowers the retention', async () => {
    const stream = await kinesis().stream(1)
    const { client } = kinesis()
    await client.send(
      new IncreaseStreamRetentionPeriodCommand({ StreamName: stream, RetentionPeriodHours: 48 }),
    )
    assert.equal(await kinesis().retention(stream), 48)
    await client.send(
      new DecreaseStreamRetentionPeriodCommand({ StreamName: stream, RetentionPeriodHours: 24 }),
    )
    assert.equal(await kinesis().retention(stream), 24)
    await refused(
      client.send(new DecreaseStreamRetentionPeriodCommand({ StreamName: stream, RetentionPeriodHours: 12 })),
      'InvalidArgumentException',
    )
  })
}
