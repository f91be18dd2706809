import { createHash } from 'node:crypto'
import { Agent } from 'node:http'
import {
  type _Record,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { Arm, Tally } from './arm.ts'
import { Digest } from './digest.ts'

export interface SdkLoopParameters {
  readonly url: string
  readonly stream: string
  readonly records: number
}

/** The loop that everybody writes: `GetRecordsCommand` on every shard, keep-alive HTTP/1.1, all shards at once. */
export async function sdkLoop({ url, stream, records }: SdkLoopParameters): Promise<Arm> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
  const client = new KinesisClient({
    region: 'us-east-1',
    endpoint: url,
    credentials: { accessKeyId: 'benchmark', secretAccessKey: 'benchmark' },
    requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: 64 }) }),
  })
  const { Shards: shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }))
  const readAll = async (take: (record: _Record) => void): Promise<void> => {
    let left = records
    await Promise.all(
      shards.map(async ({ ShardId }) => {
        const start = { StreamName: stream, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
        let { ShardIterator } = await client.send(new GetShardIteratorCommand(start))
        while (ShardIterator !== undefined && left > 0) {
          const answer = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 10_000 }))
          for (const record of answer.Records ?? []) take(record)
          left -= answer.Records?.length ?? 0
          if (answer.MillisBehindLatest === 0) return
          ShardIterator = answer.NextShardIterator
        }
      }),
    )
  }
  return {
    run: async (): Promise<Tally> => {
      let count = 0
      let bytes = 0
      await readAll((record) => {
        count++
        bytes += record.Data?.length ?? 0
      })
      return { records: count, check: bytes }
    },
    verify: async () => {
      const digest = new Digest()
      let bytes = 0
      await readAll(({ Data = new Uint8Array(), PartitionKey = '', SequenceNumber = '' }) => {
        digest.add(
          createHash('sha256')
            .update(PartitionKey)
            .update('\0')
            .update(SequenceNumber)
            .update('\0')
            .update(Data),
        )
        bytes += Data.length
      })
      return { records: digest.count, check: bytes, digest: digest.value }
    },
    close: async () => client.destroy(),
  }
}
