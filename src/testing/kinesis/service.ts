import type { Clock } from '../../clock.ts'
import type { AnswerOf, InputOf, OperationName } from './operations.ts'
import { getRecords, getShardIterator } from './read-operations.ts'
import { KinesisServiceError, refuse } from './service-error.ts'
import { listShards, mergeShards, splitShard, updateShardCount } from './shard-operations.ts'
import { Stream } from './stream.ts'
import {
  changeRetention,
  createStream,
  deleteStream,
  describeStream,
  describeStreamSummary,
  listStreams,
} from './stream-operations.ts'
import { putRecord, putRecords, type WriteGate } from './write-operations.ts'

export interface ServiceOptions {
  readonly clock: Clock
  readonly account: string
  readonly region: string
  /** How long a new stream stays in CREATING. */
  readonly createStreamMs: number
  /** What happens to readers whose position retention has overtaken; all three are on record. */
  readonly trimmedReads: 'resume' | 'stuck' | 'refuse'
  /** Whether the end of a closed shard comes with its last records or in one more, empty answer. */
  readonly shardEnd: 'with-records' | 'after-empty'
}

export interface NewStream {
  readonly shards?: number
  readonly mode?: 'PROVISIONED' | 'ON_DEMAND'
  readonly kmsKeyId?: string | undefined
  readonly maxRecordSizeInKiB?: number | undefined
  readonly distribution?: 'AUTO' | 'USER_PARTITION_KEY' | undefined
}

type Handlers = {
  readonly [O in OperationName]: (service: KinesisService, input: InputOf<O>, gate?: WriteGate) => AnswerOf<O>
}

const HANDLERS: Handlers = {
  CreateStream: createStream,
  DecreaseStreamRetentionPeriod: (service, input) => changeRetention(service, input, 'decrease'),
  DeleteStream: deleteStream,
  DescribeStream: describeStream,
  DescribeStreamSummary: describeStreamSummary,
  GetRecords: getRecords,
  GetShardIterator: getShardIterator,
  IncreaseStreamRetentionPeriod: (service, input) => changeRetention(service, input, 'increase'),
  ListShards: listShards,
  ListStreams: listStreams,
  MergeShards: mergeShards,
  PutRecord: putRecord,
  PutRecords: putRecords,
  SplitShard: splitShard,
  UpdateShardCount: updateShardCount,
}

export const OPERATION_NAMES = Object.keys(HANDLERS) as readonly OperationName[]

/**
 * The service's memory and rules, without a network: an operation either answers or throws a
 * `KinesisServiceError`, at once. Time comes from the clock alone.
 */
export class KinesisService {
  readonly options: ServiceOptions
  readonly #streams = new Map<string, Stream>()
  #lastStamp = 0
  /** Of streams that are gone, so that a successor of the same name is younger. */
  readonly #lastCreated = new Map<string, number>()

  constructor(options: ServiceOptions) {
    this.options = options
  }

  /** `gate` may keep single records out of a put. */
  execute<O extends OperationName>(operation: O, input: InputOf<O>, gate?: WriteGate): AnswerOf<O> {
    return HANDLERS[operation](this, input, gate)
  }

  now(): number {
    return Math.floor(this.options.clock.now())
  }

  get streams(): readonly Stream[] {
    return [...this.#streams.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  arnOf(name: string): string {
    return `arn:aws:kinesis:${this.options.region}:${this.options.account}:stream/${name}`
  }

  create(name: string, wanted: NewStream): Stream {
    if (this.#streams.has(name)) {
      refuse('ResourceInUseException', `Stream ${name} under account ${this.options.account} already exists.`)
    }
    // In the service a deletion takes longer than a tick of the clock, so a successor is never as old.
    const createdMs = Math.max(this.now(), (this.#lastCreated.get(name) ?? -1000) + 1000)
    const stream = new Stream({
      name,
      arn: this.arnOf(name),
      account: this.options.account,
      shards: wanted.shards ?? 1,
      createdMs,
      activeMs: this.now() + this.options.createStreamMs,
      mode: wanted.mode ?? 'PROVISIONED',
      kmsKeyId: wanted.kmsKeyId,
      maxRecordSizeInKiB: wanted.maxRecordSizeInKiB ?? 1024,
      distribution: wanted.distribution,
      stamp: (nowMs) => this.#nextStamp(nowMs),
    })
    this.#lastCreated.set(name, createdMs)
    this.#streams.set(name, stream)
    return stream
  }

  remove(stream: Stream): void {
    this.#streams.delete(stream.name)
  }

  find(name: string): Stream | undefined {
    return this.#streams.get(name)
  }

  /** By name, by ARN, or by both when they agree. @throws ResourceNotFoundException, InvalidArgumentException */
  stream(input: {
    readonly StreamName?: string | undefined
    readonly StreamARN?: string | undefined
  }): Stream {
    const { StreamName: name, StreamARN: arn } = input
    if (name === undefined && arn === undefined) {
      refuse('InvalidArgumentException', 'Either StreamName or StreamARN should be provided.')
    }
    const stream = this.#streams.get(name ?? arn?.split('/').pop() ?? '')
    const sought = stream && (arn === undefined || stream.arn === arn)
    if (sought) return stream
    throw new KinesisServiceError(
      'ResourceNotFoundException',
      `Stream ${name ?? arn} under account ${this.options.account} not found.`,
    )
  }

  /** A stream that takes data: neither CREATING nor gone. */
  activeStream(input: {
    readonly StreamName?: string | undefined
    readonly StreamARN?: string | undefined
  }): Stream {
    const stream = this.stream(input)
    if (stream.statusAt(this.now()) === 'CREATING') {
      refuse(
        'ResourceInUseException',
        `Stream ${stream.name} under account ${this.options.account} not ACTIVE, instead in state CREATING`,
      )
    }
    return stream
  }

  #nextStamp(nowMs: number): number {
    this.#lastStamp = Math.max(Math.floor(nowMs / 1000), this.#lastStamp + 1)
    return this.#lastStamp
  }
}
