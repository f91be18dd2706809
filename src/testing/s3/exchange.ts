import type { Clock } from '../../clock.ts'
import { parseAuthorization } from '../kinesis/signature.ts'
import type { S3Call } from './call-log.ts'
import type { S3FaultAction, S3FaultBook, S3Subject } from './fault.ts'
import type { ObjectStore } from './object-store.ts'
import { execute, type OperationContext, type S3Answer } from './operations.ts'
import type { S3Request } from './request.ts'
import { refuse, S3ServiceError } from './service-error.ts'

/** What comes of a call, before it is put on the wire. */
export type S3Outcome =
  | { readonly kind: 'answer'; readonly answer: S3Answer }
  | { readonly kind: 'truncate'; readonly answer: S3Answer; readonly keep: number | undefined }
  | { readonly kind: 'slow'; readonly answer: S3Answer; readonly pieces: number; readonly everyMs: number }
  | { readonly kind: 'refusal'; readonly error: S3ServiceError }
  | { readonly kind: 'html'; readonly status: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }

interface Parts extends Omit<OperationContext, 'store' | 'nowMs' | 'newId'> {
  readonly clock: Clock
  readonly faults: S3FaultBook
  readonly buckets: ReadonlyMap<string, ObjectStore>
  /** That requests must be signed for; undefined takes any. */
  readonly region: string | undefined
  readonly log: (call: S3Call) => void
}

const LISTINGS: ReadonlySet<string> = new Set(['ListObjectsV2', 'ListMultipartUploads'])

/** The way of a call: faults, the signature's region, the bucket, the log. */
export class S3Exchange {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get clock(): Clock {
    return this.#parts.clock
  }

  get bucketNames(): Iterable<string> {
    return this.#parts.buckets.keys()
  }

  /** A refusal is an outcome; what `meanwhile` throws is not. `closing` cuts delays short. */
  async call(request: S3Request, body: Buffer, closing: AbortSignal): Promise<S3Outcome> {
    const { clock, faults, log } = this.#parts
    const atMs = clock.now()
    const { operation, bucket } = request
    const key = LISTINGS.has(operation) ? (request.query.get('prefix') ?? '') : request.key
    const subject: S3Subject = { operation, bucket, key }
    const actions = faults.strike(subject)
    for (const action of actions) if (action.kind === 'delay') await clock.sleep(action.ms, closing)
    await meanwhile(actions, false)
    const action = actions.find(({ kind }) => kind !== 'delay' && kind !== 'meanwhile')
    const outcome = this.#outcome(request, body, action)
    await meanwhile(actions, true)
    log(callOf(subject, request, body, atMs, outcome))
    return outcome
  }

  #outcome(request: S3Request, body: Buffer, action: S3FaultAction | undefined): S3Outcome {
    if (action?.kind === 'html') return { kind: 'html', status: action.status ?? 200 }
    if (action?.kind === 'reset' && !action.applied) return { kind: 'reset' }
    if (action?.kind === 'hang' && !action.applied) return { kind: 'hang' }
    try {
      if (action?.kind === 'error' && !action.applied) refuse(action.code, action)
      const answer = this.#answer(request, body)
      switch (action?.kind) {
        case 'error':
          return refuse(action.code, action)
        case 'reset':
        case 'hang':
          return { kind: action.kind }
        case 'truncate':
          return { kind: 'truncate', answer, keep: action.keep }
        case 'slow':
          return { kind: 'slow', answer, pieces: action.pieces ?? 10, everyMs: action.everyMs }
        case 'corrupt':
          return { kind: 'answer', answer: { ...answer, body: flipped(answer.body) } }
        default:
          return { kind: 'answer', answer }
      }
    } catch (error) {
      if (error instanceof S3ServiceError) return { kind: 'refusal', error }
      throw error
    }
  }

  #answer(request: S3Request, body: Buffer): S3Answer {
    const { buckets, region, clock, pageSize, conditionalWrites } = this.#parts
    const signed = parseAuthorization(request.headers.authorization ?? '')?.region
    if (region !== undefined && signed !== region) {
      const message = `The authorization header is malformed; the region '${signed}' is wrong; expecting '${region}'`
      const headers = { 'x-amz-bucket-region': region }
      refuse('AuthorizationHeaderMalformed', { message, headers, fields: { Region: region } })
    }
    const store =
      buckets.get(request.bucket) ?? refuse('NoSuchBucket', { fields: { BucketName: request.bucket } })
    return execute(
      { store, nowMs: clock.now(), newId: () => clock.uuid(), pageSize, conditionalWrites },
      request,
      body,
    )
  }
}

async function meanwhile(actions: readonly S3FaultAction[], applied: boolean): Promise<void> {
  for (const action of actions) {
    if (action.kind === 'meanwhile' && action.applied === applied) await action.run()
  }
}

function flipped(body: Uint8Array): Uint8Array {
  const middle = body.length >> 1
  return body.length === 0 ? body : body.with(middle, (body[middle] ?? 0) ^ 1)
}

function callOf(
  subject: S3Subject,
  { headers, style }: S3Request,
  body: Buffer,
  atMs: number,
  outcome: S3Outcome,
): S3Call {
  const scope = parseAuthorization(headers.authorization ?? '')
  const isAnswered = outcome.kind === 'answer' || outcome.kind === 'slow'
  return {
    ...subject,
    atMs,
    outcome: isAnswered ? 'ok' : outcome.kind === 'refusal' ? outcome.error.name : outcome.kind,
    bytesIn: body.length,
    bytesOut: isAnswered ? outcome.answer.body.length : 0,
    ifNoneMatch: headers['if-none-match'],
    style,
    host: headers.host,
    accessKeyId: scope?.accessKeyId,
    signedRegion: scope?.region,
  }
}
