import { ListShardsCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import type { KinesisConnection } from '../../aws.ts'
import { type AwsCall, awsError, whereOf } from '../../aws-error.ts'
import { hasCode, reasonOf, SluiceError } from '../../errors.ts'
import type { Entry } from './entries.ts'
import type { StreamTarget } from './options.ts'

/** What became of one record: the shard it is in, or why it was refused. */
export type Outcome = { readonly shardId: string } | { readonly refusal: string }

/** A shard that takes records, and the hashes of the keys it takes. */
export interface OpenShard {
  readonly shardId: string
  readonly first: bigint
  readonly last: bigint
}

/**
 * What the sink asks of Kinesis. Failures are `SluiceError`s that name the operation, the stream and the host.
 *
 * @throws KINESIS_STREAM_NOT_FOUND, AWS_…
 */
export class PutPort {
  readonly #connection: KinesisConnection
  readonly #stream: StreamTarget
  readonly #ref: { StreamName: string } | { StreamARN: string }
  readonly #endpointUrl: string | undefined
  #region = 'unknown'

  constructor(connection: KinesisConnection, stream: StreamTarget, endpointUrl: string | undefined) {
    this.#connection = connection
    this.#stream = stream
    this.#ref = stream.arn === undefined ? { StreamName: stream.name } : { StreamARN: stream.arn }
    this.#endpointUrl = endpointUrl
  }

  /** For messages. */
  get where(): string {
    return whereOf(this.#call('PutRecords'))
  }

  /** One outcome for each entry. */
  async put(entries: readonly Entry[]): Promise<readonly Outcome[]> {
    const input = { ...this.#ref, Records: [...entries] }
    const { Records: results } = await this.#send('PutRecords', (client) =>
      client.send(new PutRecordsCommand(input)),
    )
    if (results?.length !== entries.length) {
      throw this.#malformed('PutRecords', `${results?.length ?? 'no'} results for ${entries.length} records`)
    }
    return results.map(({ ShardId, ErrorCode, ErrorMessage }) => {
      if (ErrorCode !== undefined) return { refusal: `${ErrorCode}: ${ErrorMessage ?? ''}`.slice(0, 300) }
      if (ShardId === undefined) throw this.#malformed('PutRecords', 'a record with neither shard nor error')
      return { shardId: ShardId }
    })
  }

  async openShards(): Promise<readonly OpenShard[]> {
    const shards: OpenShard[] = []
    let nextToken: string | undefined
    do {
      const arn = this.#stream.arn === undefined ? {} : { StreamARN: this.#stream.arn }
      const input = nextToken === undefined ? this.#ref : { ...arn, NextToken: nextToken }
      const page = await this.#send('ListShards', (client) => client.send(new ListShardsCommand(input)))
      for (const { ShardId, HashKeyRange, SequenceNumberRange } of page.Shards ?? []) {
        if (SequenceNumberRange?.EndingSequenceNumber !== undefined) continue
        const { StartingHashKey, EndingHashKey } = HashKeyRange ?? {}
        if (ShardId === undefined || StartingHashKey === undefined || EndingHashKey === undefined) {
          throw this.#malformed('ListShards', 'a shard without id or hash range')
        }
        shards.push({ shardId: ShardId, first: BigInt(StartingHashKey), last: BigInt(EndingHashKey) })
      }
      nextToken = page.NextToken
    } while (nextToken !== undefined)
    return shards
  }

  close(): void {
    this.#connection.client.destroy()
  }

  /** A refusal of the credentials is answered once by asking the provider for new ones. */
  async #send<T>(operation: string, send: (client: KinesisConnection['client']) => Promise<T>): Promise<T> {
    this.#region = await this.#connection.region()
    try {
      return await send(this.#connection.client)
    } catch (first) {
      const error = this.#explain(operation, first)
      if (!hasCode(error, 'AWS_CREDENTIALS_REJECTED')) throw error
    }
    try {
      await this.#connection.refreshCredentials()
      return await send(this.#connection.client)
    } catch (second) {
      throw this.#explain(operation, second)
    }
  }

  #explain(operation: string, thrown: unknown): SluiceError {
    const call = this.#call(operation)
    const error = awsError(call, thrown)
    if (!hasCode(error, 'AWS_NOT_FOUND')) return error
    const { host, region } = call
    const params = { stream: this.#stream.name, host, region, reason: reasonOf(thrown).slice(0, 300) }
    return new SluiceError('KINESIS_STREAM_NOT_FOUND', params, { cause: thrown })
  }

  #malformed(operation: string, reason: string): SluiceError {
    return new SluiceError('AWS_BAD_RESPONSE', { where: whereOf(this.#call(operation)), reason })
  }

  #call(operation: string): AwsCall {
    const { name, arn } = this.#stream
    return {
      service: 'kinesis-streams',
      operation,
      target: `stream '${name}'`,
      host: this.#endpointUrl === undefined ? 'kinesis' : new URL(this.#endpointUrl).host,
      region: this.#region,
      action: `kinesis:${operation}`,
      resource: arn ?? `arn:aws:kinesis:${this.#region}:*:stream/${name}`,
      credentials: this.#connection.credentials,
    }
  }
}
