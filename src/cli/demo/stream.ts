import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  PutRecordsCommand,
  type Shard,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { connectKinesis, type KinesisConnection } from '../../aws.ts'
import { awsError } from '../../aws-error.ts'
import { REGION } from './endpoint.ts'

/** Any credentials will do for an endpoint on this machine; these are nobody's. */
export const CREDENTIALS = { accessKeyId: 'demo', secretAccessKey: 'demo' } as const

/** The stream of the demo, as whoever owns it sees it. Its errors are those of `awsError`. */
export class DemoStream {
  readonly name: string
  readonly #url: string
  readonly #client: KinesisConnection['client']

  constructor(name: string, url: string) {
    this.name = name
    this.#url = url
    const limits = { connectTimeoutMs: 5000, requestTimeoutMs: 10_000, maxSockets: 4 }
    this.#client = connectKinesis('the demo', {
      region: REGION,
      endpointUrl: url,
      ...CREDENTIALS,
      ...limits,
    }).client
  }

  create(shards: number): Promise<unknown> {
    const command = new CreateStreamCommand({ StreamName: this.name, ShardCount: shards })
    return this.#call('CreateStream', this.#client.send(command))
  }

  async isActive(): Promise<boolean> {
    const command = new DescribeStreamSummaryCommand({ StreamName: this.name })
    const { StreamDescriptionSummary } = await this.#call('DescribeStreamSummary', this.#client.send(command))
    return StreamDescriptionSummary?.StreamStatus === 'ACTIVE'
  }

  /** @returns for each sentence whether the stream has taken it; the others have to be put again */
  async put(batch: readonly string[]): Promise<boolean[]> {
    const records = batch.map((sentence) => ({
      Data: new TextEncoder().encode(sentence),
      PartitionKey: sentence,
    }))
    const command = new PutRecordsCommand({ StreamName: this.name, Records: records })
    const { Records: answers } = await this.#call('PutRecords', this.#client.send(command))
    return batch.map((_, index) => answers?.[index]?.SequenceNumber !== undefined)
  }

  async shards(): Promise<readonly Shard[]> {
    const command = new ListShardsCommand({ StreamName: this.name })
    return (await this.#call('ListShards', this.#client.send(command))).Shards ?? []
  }

  /** Splits a shard in the middle of its hash keys. */
  split(shard: Shard): Promise<unknown> {
    const { StartingHashKey = '0', EndingHashKey = '0' } = shard.HashKeyRange ?? {}
    const command = new SplitShardCommand({
      StreamName: this.name,
      ShardToSplit: shard.ShardId,
      NewStartingHashKey: String((BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n + 1n),
    })
    return this.#call('SplitShard', this.#client.send(command))
  }

  close(): void {
    this.#client.destroy()
  }

  async #call<T>(operation: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      const call = {
        service: 'kinesis',
        operation,
        target: `stream '${this.name}'`,
        host: new URL(this.#url).host,
        region: REGION,
        action: `kinesis:${operation}`,
        resource: this.name,
        credentials: 'those of the demo',
      }
      throw awsError(call, error)
    }
  }
}
