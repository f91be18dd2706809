import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis'
import { kinesisFormat } from '../../../src/sinks/kinesis/format.ts'
import { deaggregate } from '../../../src/sources/kinesis/deaggregate.ts'
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
    const options = {
      streamName: StreamName,
      region: 'us-east-1',
      endpointUrl: local.endpointUrl,
      awsAccessKeyId: 'test',
      awsSecretKey: 'test',
    }
    const sink = await bench.open(kinesisFormat, sql, 'append', { ...options, paceShards: true })
    await bench.write(sink, 0, sql)
    await sink.close()
    const ShardId = 'shardId-000000000000'
    const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
    const { ShardIterator } = await aws.client.send(new GetShardIteratorCommand(start))
    const { Records = [], NextShardIterator } = await aws.client.send(
      new GetRecordsCommand({ ShardIterator }),
    )
    assert.deepEqual(
      Records.map(({ Data, PartitionKey }) => [Buffer.from(Data ?? []).toString(), PartitionKey]),
      Array.from({ length: 600 }, (_, i) => [`é${i}`, `k${i}`]),
    )
    const packing = await bench.open(kinesisFormat, sql, 'append', { ...options, aggregationEnabled: true })
    await bench.write(packing, 1, sql)
    await packing.close()
    const { Records: packed = [] } = await aws.client.send(
      new GetRecordsCommand({ ShardIterator: NextShardIterator }),
    )
    assert.equal(packed.length, 1)
    const members = deaggregate(packed[0]?.Data ?? new Uint8Array())
    assert.ok(typeof members === 'object')
    assert.deepEqual(
      members.map(({ data }) => Buffer.from(data).toString()),
      Array.from({ length: 600 }, (_, i) => `é${i}`),
    )
  } finally {
    bench.close()
    aws.close()
    await local.stop()
  }
})
