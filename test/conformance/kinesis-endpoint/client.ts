import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  type GetRecordsOutput,
  GetShardIteratorCommand,
  type GetShardIteratorInput,
  KinesisClient,
  ListShardsCommand,
  type ListShardsInput,
  PutRecordCommand,
  type PutRecordsRequestEntry,
  type Shard,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'

// A constructed client warns of Node versions that the SDK is about to leave behind.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'

export const HASH_KEYS = 2n ** 128n

/** The client of the endpoint under test, once it runs. */
export type Ask = () => EndpointClient
export type Start = Omit<GetShardIteratorInput, 'StreamName' | 'ShardId'>
export type Got = NonNullable<GetRecordsOutput['Records']>

/** The AWS SDK's client with the few turns of phrase that the tests share. */
export class EndpointClient {
  readonly client: KinesisClient
  #streams = 0

  constructor(endpointUrl: string) {
    this.client = new KinesisClient({
      endpoint: endpointUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      // Not every stand-in speaks HTTP/2, which the SDK would use by default.
      requestHandler: new NodeHttpHandler({ requestTimeout: 20_000, throwOnRequestTimeout: true }),
      maxAttempts: 1,
    })
  }

  close(): void {
    this.client.destroy()
  }

  async stream(shards: number, name = `stream-${++this.#streams}`): Promise<string> {
    await this.client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }))
    await this.active(name)
    return name
  }

  async active(stream: string): Promise<void> {
    while ((await this.#summary(stream))?.StreamStatus !== 'ACTIVE') await delay(5)
  }

  async gone(stream: string): Promise<void> {
    const deleted = (error: { name?: string }): boolean => error.name === 'ResourceNotFoundException'
    while (!(await this.#summary(stream).then(() => false, deleted))) await delay(5)
  }

  async arn(stream: string): Promise<string | undefined> {
    return (await this.#summary(stream))?.StreamARN
  }

  async retention(stream: string): Promise<number | undefined> {
    return (await this.#summary(stream))?.RetentionPeriodHours
  }

  async put(stream: string, texts: readonly string[]): Promise<{ SequenceNumber?: string | undefined }[]> {
    const acks = []
    // One by one: within one call the order is not promised.
    for (const each of texts)
      acks.push(await this.client.send(new PutRecordCommand({ StreamName: stream, ...entry('k', each) })))
    return acks
  }

  async split(stream: string, shardId: string, at: bigint): Promise<void> {
    await this.client.send(
      new SplitShardCommand({ StreamName: stream, ShardToSplit: shardId, NewStartingHashKey: String(at) }),
    )
    await this.active(stream)
  }

  async shards(stream: string, asked: Omit<ListShardsInput, 'StreamName'> = {}): Promise<Shard[]> {
    return (await this.client.send(new ListShardsCommand({ StreamName: stream, ...asked }))).Shards ?? []
  }

  async iterator(
    stream: string,
    shard: number,
    start: Start,
    abortSignal?: AbortSignal,
  ): Promise<string | undefined> {
    const command = new GetShardIteratorCommand({
      StreamName: stream,
      ShardId: `shardId-00000000000${shard}`,
      ...start,
    })
    return (await this.client.send(command, abortSignal ? { abortSignal } : {})).ShardIterator
  }

  /** Everything in a shard, up to its tip or end. */
  async readAll(stream: string, shardId: string): Promise<Got> {
    const command = new GetShardIteratorCommand({
      StreamName: stream,
      ShardId: shardId,
      ShardIteratorType: 'TRIM_HORIZON',
    })
    const { ShardIterator } = await this.client.send(command)
    return (await this.client.send(new GetRecordsCommand({ ShardIterator }))).Records ?? []
  }

  /** The answers of a closed shard, the last one without a next iterator. */
  async readToEnd(stream: string, shardId: string): Promise<GetRecordsOutput[]> {
    const answers: GetRecordsOutput[] = []
    const command = new GetShardIteratorCommand({
      StreamName: stream,
      ShardId: shardId,
      ShardIteratorType: 'TRIM_HORIZON',
    })
    let next = (await this.client.send(command)).ShardIterator
    while (next !== undefined && answers.length < 10) {
      const answer = await this.client.send(new GetRecordsCommand({ ShardIterator: next }))
      answers.push(answer)
      next = answer.NextShardIterator
    }
    assert.equal(next, undefined, 'the shard has no end')
    return answers
  }

  async #summary(stream: string) {
    return (await this.client.send(new DescribeStreamSummaryCommand({ StreamName: stream })))
      .StreamDescriptionSummary
  }
}

/** Asserts a refusal with status 400, and its name and text where given. */
export async function refused(asked: Promise<unknown>, name?: string, message?: RegExp): Promise<void> {
  await assert.rejects(
    asked,
    (error: { name?: string; message?: string; $metadata?: { httpStatusCode?: number } }) => {
      if (name !== undefined) assert.equal(error.name, name, error.message)
      if (message) assert.match(error.message ?? '', message)
      assert.equal(error.$metadata?.httpStatusCode, 400)
      return true
    },
  )
}

export function entry(key: string, data: string): PutRecordsRequestEntry {
  return { PartitionKey: key, Data: Buffer.from(data) }
}

export function text(record: Got[number]): string {
  return Buffer.from(record.Data ?? []).toString()
}

export function range(shard: Shard | undefined): [bigint, bigint] {
  return [
    BigInt(shard?.HashKeyRange?.StartingHashKey ?? -1),
    BigInt(shard?.HashKeyRange?.EndingHashKey ?? -1),
  ]
}

export function md5(key: string): bigint {
  return BigInt(`0x${createHash('md5').update(key).digest('hex')}`)
}
