import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { Session } from '../src/api/session.ts'
import type { Row } from '../src/duckdb.ts'
import { silentLogger } from '../src/log.ts'
import { KinesisDouble } from '../src/testing/kinesis/double.ts'
import { startKinesisLocal } from './support/kinesis-local.ts'

interface Endpoint {
  readonly endpointUrl: string
  readonly stop: () => Promise<void>
}

const ENDPOINTS: Readonly<Record<string, () => Promise<Endpoint>>> = {
  'kinesis-local': startKinesisLocal,
  'our own double': async () => {
    const { endpointUrl, close } = await new KinesisDouble().listen()
    return { endpointUrl, stop: close }
  },
}

for (const [name, start] of Object.entries(ENDPOINTS)) {
  test(`words of a stream on ${name} are counted through a reshard and a restart`, async () => {
    const endpoint = await start()
    const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-end-to-end-'))
    const client = new KinesisClient({
      endpoint: endpoint.endpointUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      requestHandler: new NodeHttpHandler(),
    })
    const expected = new Map<string, bigint>()
    const put = async (count: number) => {
      const sentences = Array.from(
        { length: count },
        (_, i) => `water flows ${i % 7} ${i % 2 ? 'up' : 'down'}`,
      )
      for (const word of sentences.flatMap((text) => text.split(' ')))
        expected.set(word, (expected.get(word) ?? 0n) + 1n)
      const Records = sentences.map((text, i) => ({ PartitionKey: `k${i}`, Data: Buffer.from(text) }))
      const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName: 'words', Records }))
      assert.equal(FailedRecordCount ?? 0, 0)
    }
    const untilActive = async () => {
      for (let poll = 0; poll < 100; poll++) {
        const { StreamDescriptionSummary: stream } = await client.send(
          new DescribeStreamSummaryCommand({ StreamName: 'words' }),
        )
        if (stream?.StreamStatus === 'ACTIVE') return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.fail('the stream does not become active')
    }
    let counts = new Map<string, bigint>()
    const run = async () => {
      const session = await Session.create({ log: silentLogger })
      const options = {
        streamName: 'words',
        region: 'us-east-1',
        endpointUrl: endpoint.endpointUrl,
        startingPosition: 'trim_horizon',
        awsAccessKeyId: 'a',
        awsSecretKey: 'b',
      }
      session.readStream.format('kinesis').options(options).load().createOrReplaceTempView('words')
      const query = await session
        .sql(
          "SELECT word, count(*) AS n FROM (SELECT unnest(string_split(data::VARCHAR, ' ')) AS word FROM words) GROUP BY word",
        )
        .writeStream.outputMode('complete')
        .trigger({ availableNow: true })
        .option('checkpointLocation', checkpoint)
        .foreachBatch(async (batch) => {
          counts = new Map(
            (await batch.toObjects()).map((row: Row) => [String(row['word']), row['n'] as bigint]),
          )
        })
        .start()
      await query.awaitTermination()
      await session.close()
      return query.lastProgress
    }
    try {
      await client.send(new CreateStreamCommand({ StreamName: 'words', ShardCount: 1 }))
      await untilActive()
      await put(50)
      await run()
      assert.deepEqual(counts, expected)
      await put(20)
      const NewStartingHashKey = (2n ** 127n).toString()
      await client.send(
        new SplitShardCommand({
          StreamName: 'words',
          ShardToSplit: 'shardId-000000000000',
          NewStartingHashKey,
        }),
      )
      await untilActive()
      await put(30)
      const progress = await run()
      assert.deepEqual(counts, expected)
      assert.ok((progress?.batchId ?? 0) >= 1, 'the second run went on from the checkpoint of the first')
    } finally {
      client.destroy()
      await endpoint.stop()
      await rm(checkpoint, { recursive: true, force: true })
    }
  })
}
