import type {
  _Record,
  ChildShard,
  GetRecordsOutput,
  HashKeyRange,
  Shard as ListedShard,
} from '@aws-sdk/client-kinesis'
import { type AwsCall, awsError, whereOf } from '../../aws-error.ts'
import type { Clock } from '../../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../../errors.ts'
import { withDeadline } from './deadline.ts'
import type {
  IteratorStart,
  KinesisPort,
  RecordsPage,
  Shard,
  ShardPage,
  StoredRecord,
  StreamSummary,
} from './kinesis-port.ts'
import { type RecordsAnswer, readAnswer } from './records-answer.ts'
import { type RawAnswer, rawAnswerOf } from './records-over-cbor.ts'
import { StoredRecords } from './stored-records.ts'
import type { Answer, KinesisTransport, RequestName, Requests } from './transport.ts'

/** A stream by name, or by ARN when it belongs to another account. */
export interface StreamRef {
  readonly name: string
  readonly arn: string | undefined
}

export interface StreamPortContext {
  /** Of the stream among all streams of the process: endpoint, region and name. */
  readonly id: string
  readonly transport: KinesisTransport
  readonly stream: StreamRef
  readonly clock: Clock
  /** For a whole request, however lively the connection: an answer that trickles is none. */
  readonly timeoutMs: number
}

const SHARDS_A_PAGE = 1000
const HOUR_MS = 3_600_000

/** Makes plain values out of the service's answers, and readable errors out of its failures. */
export class StreamPort implements KinesisPort {
  readonly id: string
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #transport: KinesisTransport
  readonly #stream: StreamRef
  readonly #ref: { StreamName: string } | { StreamARN: string }
  #region = 'unknown'

  constructor({ id, transport, stream, clock, timeoutMs }: StreamPortContext) {
    this.id = id
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#transport = transport
    this.#stream = stream
    this.#ref = stream.arn === undefined ? { StreamName: stream.name } : { StreamARN: stream.arn }
  }

  get place(): string {
    return `host ${this.#transport.host}, region ${this.#region}`
  }

  async describeStream(signal: AbortSignal): Promise<StreamSummary> {
    const { output, serverTime } = await this.#send('DescribeStreamSummary', this.#ref, signal)
    const summary =
      output.StreamDescriptionSummary ?? this.#malformed('DescribeStreamSummary', 'no description')
    const created = summary.StreamCreationTimestamp?.getTime() ?? Number.NaN
    return {
      name: summary.StreamName ?? this.#stream.name,
      arn: summary.StreamARN ?? this.#stream.arn ?? this.#stream.name,
      status: summary.StreamStatus ?? 'ACTIVE',
      createdMs: Number.isFinite(created) ? created : 0,
      retentionMs: (summary.RetentionPeriodHours ?? 24) * HOUR_MS,
      autoPlaced: summary.RecordDistributionStrategy === 'AUTO',
      serverTime,
    }
  }

  async listShards(nextToken: string | undefined, signal: AbortSignal): Promise<ShardPage> {
    // A token stands for the stream; the service refuses both together, but for the ARN that routes the request.
    const arn = this.#stream.arn === undefined ? {} : { StreamARN: this.#stream.arn }
    const input =
      nextToken === undefined ? { ...this.#ref, MaxResults: SHARDS_A_PAGE } : { ...arn, NextToken: nextToken }
    const { output } = await this.#send('ListShards', input, signal)
    const shards = output.Shards ?? this.#malformed('ListShards', 'no shards')
    return { shards: shards.map((shard) => this.#listed(shard)), nextToken: output.NextToken }
  }

  async getShardIterator(shardId: string, start: IteratorStart, signal: AbortSignal): Promise<string> {
    const input = { ...this.#ref, ShardId: shardId, ...iteratorInput(start) }
    const { output } = await this.#send('GetShardIterator', input, signal, shardId)
    return output.ShardIterator ?? this.#malformed('GetShardIterator', 'no iterator', shardId)
  }

  async getRecords(
    shardId: string,
    iterator: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<RecordsPage> {
    const arn = this.#stream.arn === undefined ? {} : { StreamARN: this.#stream.arn }
    const input = { ...arn, ShardIterator: iterator, Limit: limit }
    const { output, serverTime } = await this.#send('GetRecords', input, signal, shardId)
    const malformed = (reason: string): never => this.#malformed('GetRecords', reason, shardId)
    const raw = rawAnswerOf(output)
    const answer = raw ? fromCbor(raw, malformed) : fromOutput(output, malformed)
    const records = answer.records ?? malformed('no list of records')
    const children = answer.children.map((child) => this.#child(child, shardId))
    // Either the shard goes on or it has children; both at once is no end of a shard to act upon.
    if (answer.nextIterator !== undefined && children.length > 0)
      malformed('a next iterator beside child shards')
    return {
      records,
      nextIterator: answer.nextIterator,
      millisBehindLatest: answer.millisBehindLatest ?? 0,
      serverTime,
      children: children.length > 0 ? children : undefined,
    }
  }

  close(): void {
    this.#transport.close()
  }

  /** One request; a refusal of the credentials is answered once by asking the provider for new ones. */
  async #send<R extends RequestName>(
    request: R,
    input: Requests[R]['input'],
    signal: AbortSignal,
    shardId?: string,
  ): Promise<Answer<R>> {
    this.#region = await this.#transport.region()
    const late = (cause: unknown): SluiceError => {
      const reason = `no complete answer within ${this.#timeoutMs / 1000} s`
      return new SluiceError(
        'AWS_TIMEOUT',
        { where: whereOf(this.#call(request, shardId)), reason },
        { cause },
      )
    }
    const send = (each: AbortSignal): Promise<Answer<R>> => this.#transport.send(request, input, each)
    const ask = (): Promise<Answer<R>> => withDeadline(this.#clock, this.#timeoutMs, signal, send, late)
    try {
      return await ask()
    } catch (first) {
      const error = this.#explain(request, first, shardId)
      if (!hasCode(error, 'AWS_CREDENTIALS_REJECTED')) throw error
    }
    try {
      await this.#transport.refreshCredentials()
      return await ask()
    } catch (second) {
      throw this.#explain(request, second, shardId)
    }
  }

  #explain(request: RequestName, thrown: unknown, shardId: string | undefined): SluiceError {
    const error = awsError(this.#call(request, shardId), thrown)
    const stream = this.#stream.name
    if (hasCode(error, 'AWS_NOT_FOUND')) {
      const reason = reasonOf(thrown).slice(0, 300)
      if (shardId !== undefined) {
        return new SluiceError('KINESIS_SHARD_GONE', { stream, shard: shardId, reason }, { cause: thrown })
      }
      const place = { host: this.#transport.host, region: this.#region }
      return new SluiceError('KINESIS_STREAM_NOT_FOUND', { stream, ...place, reason }, { cause: thrown })
    }
    if (hasCode(error, 'AWS_REQUEST_REFUSED') && request === 'GetShardIterator') {
      const { where, reason } = error.params
      return new SluiceError('KINESIS_POSITION_REFUSED', { where, reason }, { cause: thrown })
    }
    return error
  }

  #malformed(request: RequestName, reason: string, shardId?: string): never {
    throw new SluiceError('AWS_BAD_RESPONSE', { where: whereOf(this.#call(request, shardId)), reason })
  }

  #call(operation: RequestName, shardId: string | undefined): AwsCall {
    return {
      service: 'kinesis-streams',
      operation,
      target: `stream '${this.#stream.name}'${shardId === undefined ? '' : `, shard ${shardId}`}`,
      host: this.#transport.host,
      region: this.#region,
      action: `kinesis:${operation}`,
      resource: this.#stream.arn ?? `arn:aws:kinesis:${this.#region}:*:stream/${this.#stream.name}`,
      credentials: this.#transport.credentials,
    }
  }

  #listed(shard: ListedShard): Shard {
    const shardId = shard.ShardId ?? this.#malformed('ListShards', 'a shard without id')
    return {
      shardId,
      parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
      hashRange:
        hashRange(shard.HashKeyRange) ?? this.#malformed('ListShards', `no hash range of ${shardId}`),
      closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
    }
  }

  #child(child: ChildShard, parent: string): Shard {
    const hashes = hashRange(child.HashKeyRange)
    if (child.ShardId === undefined || !child.ParentShards?.length || hashes === undefined) {
      return this.#malformed('GetRecords', 'a child shard without id, parents or hash range', parent)
    }
    return { shardId: child.ShardId, parents: child.ParentShards, hashRange: hashes, closed: false }
  }
}

function iteratorInput(start: IteratorStart): Omit<Requests['GetShardIterator']['input'], 'ShardId'> {
  switch (start.type) {
    case 'TRIM_HORIZON':
      return { ShardIteratorType: 'TRIM_HORIZON' }
    case 'AT_TIMESTAMP':
      return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(start.timestampMs) }
    default:
      return { ShardIteratorType: start.type, StartingSequenceNumber: start.sequenceNumber }
  }
}

function hashRange(range: HashKeyRange | undefined): Shard['hashRange'] | undefined {
  if (!/^\d+$/.test(range?.StartingHashKey ?? '') || !/^\d+$/.test(range?.EndingHashKey ?? ''))
    return undefined
  return { start: BigInt(range?.StartingHashKey ?? ''), end: BigInt(range?.EndingHashKey ?? '') }
}

function fromCbor(raw: RawAnswer, malformed: (reason: string) => never): RecordsAnswer {
  try {
    return readAnswer(raw)
  } catch (error) {
    return malformed(reasonOf(error))
  }
}

function fromOutput(output: GetRecordsOutput, malformed: (reason: string) => never): RecordsAnswer {
  const records = output.Records?.map(
    (record) => storedRecord(record) ?? malformed('a record without its data'),
  )
  return {
    records: records && StoredRecords.of(records),
    nextIterator: output.NextShardIterator,
    millisBehindLatest: output.MillisBehindLatest,
    children: output.ChildShards ?? [],
  }
}

function storedRecord(record: _Record): StoredRecord | undefined {
  const { SequenceNumber, Data, PartitionKey, ApproximateArrivalTimestamp } = record
  if (SequenceNumber === undefined || !(Data instanceof Uint8Array)) return undefined
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: PartitionKey,
    data: Data,
    arrivedMs: ApproximateArrivalTimestamp?.getTime(),
  }
}
