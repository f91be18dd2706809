import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis'
import { kinesisFormat } from '../../../src/sinks/kinesis/format.ts'
import { EndpointClient } from '../../conformance/kinesis-endpoint/client.ts'
import { Bench } from '../../conformance/sink.ts'
import { startKinesisLocal } from '../../support/kinesis-local.ts'

test("another maker's Kinesis takes the records, and the plain AWS SDK reads them", async () => {
  const local = await startKinesisLocal()
  const aws = new EndpointClient(local.endpointUrl)
  const bench = await Bench.open()
  try {
    const StreamName = await aws.stream(1)
    const sql = "SELECT 'é' || i AS data, 'k' || i AS partitionKey FROM range(600) r(i)"
    const sink = await bench.open(kinesisFormat, sql, 'append', {
      streamName: StreamName,
      region: 'us-east-1',
      endpointUrl: local.endpointUrl,
      awsAccessKeyId: 'test',
      awsSecretKey: 'test',
      paceShards: true,
    })
    await bench.write(sink, 0, sql)
    await sink.close()
    const ShardId = 'shardId-000000000000'
    const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
    const { ShardIterator } = await aws.client.send(new GetShardIteratorCommand(start))
    const { Records = [] } = await aws.client.send(new GetRecordsCommand({ ShardIterator }))
    assert.deepEqual(
      Records.map(({ Data, PartitionKey }) => [Buffer.from(Data ?? []).toString(), PartitionKey]),
      Array.from({ length: 600 }, (_, i) => [`é${i}`, `k${i}`]),
    )
  } finally {
    bench.close()
    aws.close()
    await local.stop()
  }
})
