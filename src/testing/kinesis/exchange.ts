import type { Clock } from '../../clock.ts'
import type { Call, Caller, CallLog } from './call-log.ts'
import type { CallSubject, FaultAction, FaultBook } from './fault.ts'
import { decodeIterator, openToken, renewedIterator } from './iterator-token.ts'
import type { Limits } from './limits.ts'
import type { AnswerOf, GetRecordsAnswer, InputOf, OperationName } from './operations.ts'
import { RecordSlice } from './record-slice.ts'
import { refusalText } from './refusal-text.ts'
import type { KinesisService } from './service.ts'
import { KinesisServiceError } from './service-error.ts'
import type { WriteGate } from './write-operations.ts'

/** What comes of a call, before a front end gives it a form. */
export type Outcome<O extends OperationName> =
  | { readonly kind: 'answer'; readonly answer: AnswerOf<O> }
  | { readonly kind: 'truncate'; readonly answer: AnswerOf<O>; readonly keep: number | undefined }
  | { readonly kind: 'refusal'; readonly error: KinesisServiceError }
  | { readonly kind: 'html'; readonly status: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }

type ActionOf<K extends FaultAction['kind']> = Extract<FaultAction, { kind: K }>

/** The way of a call: faults, limits, the service itself, the log. Both front ends go through here. */
export class Exchange {
  readonly #service: KinesisService
  readonly #clock: Clock
  readonly #faults: FaultBook
  readonly #limits: Limits
  readonly #log: CallLog

  constructor(parts: {
    service: KinesisService
    clock: Clock
    faults: FaultBook
    limits: Limits
    log: CallLog
  }) {
    this.#service = parts.service
    this.#clock = parts.clock
    this.#faults = parts.faults
    this.#limits = parts.limits
    this.#log = parts.log
  }

  /** Never rejects: a refusal is an outcome. `signal` cuts injected delays short. */
  async call<O extends OperationName>(
    operation: O,
    input: InputOf<O>,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Outcome<O>> {
    const atMs = this.#service.now()
    const subject = subjectOf(operation, input)
    const actions = this.#faults.strike(subject)
    for (const action of actions) if (action.kind === 'delay') await this.#clock.sleep(action.ms, signal)
    const action = actions.find((each) => each.kind !== 'delay')
    const outcome = this.#outcome(subject, input, action) as Outcome<O>
    this.#log.add(callOf(subject, input, caller, atMs, outcome))
    return outcome
  }

  /** A call that was refused before it reached the service, for want of valid credentials. */
  refuse(operation: OperationName, error: KinesisServiceError, caller: Caller): Outcome<OperationName> {
    const outcome = { kind: 'refusal', error } as const
    this.#log.add(callOf({ operation }, {}, caller, this.#service.now(), outcome))
    return outcome
  }

  #outcome(
    subject: CallSubject,
    input: InputOf<OperationName>,
    action: FaultAction | undefined,
  ): Outcome<OperationName> {
    if (action?.kind === 'hang') return { kind: 'hang' }
    if (action?.kind === 'html') return { kind: 'html', status: action.status ?? 200 }
    if (action?.kind === 'reset' && !action.applied) return { kind: 'reset' }
    try {
      if (action?.kind === 'error') throw this.#refusal(action, subject)
      this.#limits.admit(subject, this.#service.now())
      const answer = this.#answer(subject, input, action)
      if (action?.kind === 'reset') return { kind: 'reset' }
      if (action?.kind === 'truncate') return { kind: 'truncate', answer, keep: action.keep }
      return { kind: 'answer', answer: action?.kind === 'edit' ? action.change(spelledOut(answer)) : answer }
    } catch (error) {
      if (error instanceof KinesisServiceError) return { kind: 'refusal', error }
      throw error
    }
  }

  #answer(
    subject: CallSubject,
    input: InputOf<OperationName>,
    action: FaultAction | undefined,
  ): AnswerOf<OperationName> {
    const answer = this.#service.execute(subject.operation, input as never, this.#gate(subject, action))
    if (subject.operation !== 'GetRecords') return answer
    const got = answer as GetRecordsAnswer
    if (action?.kind === 'empty') {
      const { ShardIterator = '' } = input as InputOf<'GetRecords'>
      const next = renewedIterator(ShardIterator, this.#service.now())
      return { Records: [], MillisBehindLatest: action.millisBehindLatest, NextShardIterator: next }
    }
    if (action?.kind === 'malformed-end') return { Records: [], MillisBehindLatest: 0 }
    if (got.Records instanceof RecordSlice) {
      this.#limits.answered(subject, got.Records.bytes, got.Records.capped, this.#service.now())
    }
    return got
  }

  #gate(subject: CallSubject, action: FaultAction | undefined): WriteGate {
    return (stream, shard, bytes, entry) => {
      const about = { ...subject, shardId: shard.id }
      if (action?.kind === 'reject-entries' && (entry + 1) % action.every === 0) {
        return this.#refusal({ kind: 'error', code: action.code }, about)
      }
      if (this.#limits.admitsWrite(stream.name, shard.id, bytes, this.#service.now())) return undefined
      return this.#refusal({ kind: 'error', code: 'ProvisionedThroughputExceededException' }, about)
    }
  }

  #refusal(action: ActionOf<'error'>, subject: CallSubject): KinesisServiceError {
    const text = action.message ?? refusalText(action.code, subject, this.#service.options)
    return new KinesisServiceError(action.code, text)
  }
}

/** The answer with its records as objects. */
export function spelledOut<O extends OperationName>(answer: AnswerOf<O>): AnswerOf<O> {
  const records = (answer as GetRecordsAnswer).Records
  return records instanceof RecordSlice ? { ...answer, Records: records.toRecords() } : answer
}

function subjectOf(operation: OperationName, input: InputOf<OperationName>): CallSubject {
  const known = input as {
    readonly StreamName?: string
    readonly StreamARN?: string
    readonly ShardId?: string
    readonly ShardIterator?: string
    readonly NextToken?: string
  }
  const iterator = known.ShardIterator === undefined ? undefined : decodeIterator(known.ShardIterator)
  if (iterator) return { operation, stream: iterator.stream, shardId: iterator.shardId }
  const page = operation === 'ListShards' && known.NextToken ? openToken(known.NextToken) : undefined
  const listed = (page as { readonly stream?: string } | undefined)?.stream
  return {
    operation,
    stream: known.StreamName ?? known.StreamARN?.split('/').pop() ?? listed,
    shardId: known.ShardId,
  }
}

function callOf(
  subject: CallSubject,
  input: InputOf<OperationName>,
  caller: Caller,
  atMs: number,
  outcome: Outcome<OperationName>,
): Call {
  const put = subject.operation === 'PutRecord' || subject.operation === 'PutRecords'
  const answer = outcome.kind === 'answer' || outcome.kind === 'truncate' ? outcome.answer : undefined
  const records = (answer as { readonly Records?: RecordSlice | readonly unknown[] } | undefined)?.Records
  return {
    ...subject,
    ...caller,
    atMs,
    outcome:
      outcome.kind === 'answer' ? 'ok' : outcome.kind === 'refusal' ? outcome.error.name : outcome.kind,
    records: subject.operation === 'PutRecord' ? Number(answer !== undefined) : (records?.length ?? 0),
    bytes: records instanceof RecordSlice ? records.bytes : 0,
    ...(put ? {} : { input }),
  }
}
