import type { _Record } from '@aws-sdk/client-kinesis'
import { type Clock, systemClock } from '../../clock.ts'
import { type Credentials, type Identity, identify } from './authorization.ts'
import { type Call, CallLog } from './call-log.ts'
import { Exchange, spelledOut } from './exchange.ts'
import { type Fault, FaultBook, type FaultHandle } from './fault.ts'
import { type KinesisEndpoint, type ListenOptions, listen } from './http-server.ts'
import { type LimitKind, Limits } from './limits.ts'
import type { InputOf, OperationName, OutputOf } from './operations.ts'
import { RecordSlice } from './record-slice.ts'
import { KinesisService, type NewStream, type ServiceOptions } from './service.ts'
import type { Shard } from './shard.ts'
import type { SignedRequest } from './signature.ts'
import { TransportError } from './transport-error.ts'

/**
 * All optional. Default: the system clock, account 123456789012 in us-east-1, streams ACTIVE at once
 * (`createStreamMs` 0), `trimmedReads` 'resume', `shardEnd` 'with-records'.
 */
export interface KinesisDoubleOptions extends Partial<ServiceOptions> {
  /** Which of the service's rate limits hold. Default: none. */
  readonly enforceLimits?: readonly LimitKind[]
  /** What requests over HTTP must be signed with. Default: anything goes. */
  readonly credentials?: Credentials
  /** How many calls `calls` remembers at least. Default 100,000. */
  readonly keptCalls?: number
}

export interface StreamOptions extends NewStream {
  readonly retentionHours?: number
}

/** A record as a test writes it. */
export interface PlainRecord {
  readonly partitionKey?: string
  readonly explicitHashKey?: string
  /** Text is taken as UTF-8. */
  readonly data: Uint8Array | string
  /** Server arrival, epoch milliseconds. Default: now, by the double's clock. */
  readonly arrivedMs?: number
}

/** Where a record was put. */
export interface Ack {
  readonly shardId: string
  readonly sequenceNumber: string
}

/**
 * A Kinesis of one's own: the service's rules in memory, with a clock, faults on command and a log of calls.
 *
 * Ask it in-process with `handle`, or over HTTP with `listen`. The other methods arrange the scene: they act at
 * once, pass by faults, limits and the log, and throw `KinesisServiceError` where the service would refuse.
 */
export class KinesisDouble {
  readonly clock: Clock
  readonly #service: KinesisService
  readonly #exchange: Exchange
  readonly #faults: FaultBook
  readonly #log: CallLog
  readonly #closing = new AbortController()
  readonly #endpoints = new Set<KinesisEndpoint>()
  #credentials: Credentials | undefined

  constructor(options: KinesisDoubleOptions = {}) {
    this.clock = options.clock ?? systemClock
    this.#service = new KinesisService({
      clock: this.clock,
      account: options.account ?? '123456789012',
      region: options.region ?? 'us-east-1',
      createStreamMs: options.createStreamMs ?? 0,
      trimmedReads: options.trimmedReads ?? 'resume',
      shardEnd: options.shardEnd ?? 'with-records',
    })
    this.#credentials = options.credentials
    this.#faults = new FaultBook(() => this.clock.random())
    this.#log = new CallLog(options.keptCalls ?? 100_000)
    this.#exchange = new Exchange({
      service: this.#service,
      clock: this.clock,
      faults: this.#faults,
      limits: new Limits(options.enforceLimits ?? [], this.#service.options),
      log: this.#log,
    })
  }

  /** Every call through `handle` or HTTP, oldest first. */
  get calls(): readonly Call[] {
    return this.#log.all
  }

  clearCalls(): void {
    this.#log.clear()
  }

  /** Asks in-process. @throws KinesisServiceError, TransportError */
  async handle<O extends OperationName>(
    operation: O,
    input: InputOf<O>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<OutputOf<O>> {
    const closing = this.#closing.signal
    const signal = options.signal ? AbortSignal.any([closing, options.signal]) : closing
    const outcome = await this.#exchange.call(operation, input, { format: 'in-process' }, signal)
    if (signal.aborted) throw requestAborted()
    switch (outcome.kind) {
      case 'answer':
        return spelledOut(outcome.answer) as OutputOf<O>
      case 'refusal':
        throw outcome.error
      case 'hang':
        return await aborted(signal)
      case 'html':
        throw new TransportError(
          'ERR_UNREADABLE_ANSWER',
          `Unexpected token '<' in an answer of status ${outcome.status}`,
        )
      case 'truncate':
        throw new TransportError('ECONNRESET', 'aborted in the middle of the answer')
      case 'reset':
        throw new TransportError('ECONNRESET', 'socket hang up')
    }
  }

  /** Serves HTTP/1.1 in JSON and CBOR until the endpoint or the double is closed. Default 127.0.0.1, any port. */
  async listen(options: ListenOptions = {}): Promise<KinesisEndpoint> {
    const endpoint = await listen(
      { exchange: this.#exchange, clock: this.clock, identify: this.#identify },
      options,
    )
    this.#endpoints.add(endpoint)
    return endpoint
  }

  /** Ends every endpoint and every call that hangs. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#endpoints].map((endpoint) => endpoint.close()))
  }

  createStream(name: string, options: StreamOptions = {}): void {
    this.#service.create(name, options).retentionHours = options.retentionHours ?? 24
  }

  deleteStream(name: string): void {
    this.#service.remove(this.#stream(name))
  }

  /** Puts records at their shards' tips and says where they went. */
  put(stream: string, records: Iterable<PlainRecord> | PlainRecord): Ack[] {
    return Array.from(Symbol.iterator in records ? records : [records], (record) =>
      this.#append(stream, record),
    )
  }

  /** As `put`, for millions: answers only their number. `shardId` skips the hashing of keys. */
  seed(stream: string, records: Iterable<PlainRecord>, options: { readonly shardId?: string } = {}): number {
    const shard = options.shardId === undefined ? undefined : this.#shard(stream, options.shardId)
    let count = 0
    for (const record of records) {
      this.#append(stream, record, shard)
      count++
    }
    return count
  }

  /** Splits in the middle of the hash range, or so that the second child starts at `newStart`. */
  split(stream: string, shardId: string, newStart?: bigint): readonly [string, string] {
    const { range } = this.#shard(stream, shardId)
    const middle = newStart ?? range.start + (range.end - range.start + 1n) / 2n
    const [left, right] = this.#stream(stream).split(shardId, middle, this.#service.now())
    return [left.id, right.id]
  }

  merge(stream: string, shardId: string, adjacentId: string): string {
    return this.#stream(stream).merge(shardId, adjacentId, this.#service.now()).id
  }

  /** Scales to `shards` open shards of equal width, whatever their number now. */
  scale(stream: string, shards: number): void {
    this.#stream(stream).scale(shards, this.#service.now())
  }

  /** Changes the retention without the bounds that the service sets. */
  setRetention(stream: string, hours: number): void {
    this.#stream(stream).retentionHours = hours
  }

  /** Drops the records up to and including `through`, or all of them. */
  trim(stream: string, shardId: string, through?: string): void {
    const shard = this.#shard(stream, shardId)
    shard.trimTo(through === undefined ? shard.end : (shard.indexOf(through) ?? shard.horizon - 1) + 1)
  }

  /** Lets a shard vanish with all it holds, as retention does to closed ones. */
  expireShard(stream: string, shardId: string): void {
    this.#shard(stream, shardId).expire()
  }

  /** A sparse stretch at the tip: readers that come to it need `hops` empty answers before the next record. */
  gap(stream: string, shardId: string, hops: number): void {
    this.#shard(stream, shardId).addGap(hops)
  }

  /** What a shard holds now, oldest first. */
  records(stream: string, shardId: string): readonly _Record[] {
    const shard = this.#shard(stream, shardId)
    return new RecordSlice(shard, shard.horizon, shard.end, 0).toRecords()
  }

  /** Ids of the shards that are not expired, in the order of creation. */
  shards(
    stream: string,
  ): readonly { readonly id: string; readonly open: boolean; readonly parents: readonly string[] }[] {
    return this.#stream(stream).shards.map((shard) => ({
      id: shard.id,
      open: shard.open,
      parents: shard.parents.map((parent) => parent.id),
    }))
  }

  /** Makes something go wrong from now on, until used up or removed. */
  fault(fault: Fault): FaultHandle {
    return this.#faults.add(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  /** What requests over HTTP must be signed with from now on; undefined lets anything in. */
  requireCredentials(credentials: Credentials | undefined): void {
    this.#credentials = credentials
  }

  readonly #identify = (request: SignedRequest): Identity => identify(request, this.#credentials)

  #append(stream: string, record: PlainRecord, into?: Shard): Ack {
    const shard = into ?? this.#stream(stream).shardFor(record.partitionKey, record.explicitHashKey)
    const sequenceNumber = shard.append({
      partitionKey: record.partitionKey,
      data: typeof record.data === 'string' ? Buffer.from(record.data) : record.data,
      arrivedMs: record.arrivedMs ?? this.#service.now(),
    })
    return { shardId: shard.id, sequenceNumber }
  }

  #stream(name: string): ReturnType<KinesisService['stream']> {
    return this.#service.stream({ StreamName: name })
  }

  #shard(stream: string, shardId: string): Shard {
    return this.#stream(stream).shard(shardId)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(requestAborted()), { once: true })
  })
}

function requestAborted(): TransportError {
  return new TransportError('ABORT_ERR', 'Request aborted')
}
