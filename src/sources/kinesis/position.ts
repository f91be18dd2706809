import type { Json, Position } from '../../batch.ts'
import { SluiceError } from '../../errors.ts'
import type { IteratorStart } from './kinesis-port.ts'

/*
 * The position of the Kinesis source, as it lies in the offsets log:
 *
 * {
 *   "version": 1,
 *   "stream": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
 *   "createdMs": 1700000000000,            a stream created anew under the same name has another
 *   "shards": {
 *     "shardId-000000000000": "SHARD_END",                        read to its end
 *     "shardId-000000000001": { "from": "TRIM_HORIZON" },         from the oldest record
 *     "shardId-000000000002": { "timestampMs": 1700000000000 },   from the first record that arrived then or later
 *     "shardId-000000000003": { "sequenceNumber": "4959…" },      after that record
 *     "shardId-000000000004": { "sequenceNumber": "4959…", "subSequenceNumber": 7, "arrivedMs": 17…, "seenMs": 17… }
 *   },
 *   "rows": { "shardId-000000000004": 250 }
 * }
 *
 * `subSequenceNumber` is there only when a batch ended inside an aggregate: after that sub-record. `inclusive: true`
 * (from a user's startingPosition only) starts at the record itself. `arrivedMs` is the arrival of the record at the
 * position; up to `seenMs` (server time, on any form) the shard is known to hold nothing after the position; both
 * tell whether retention can have passed over unread records. `rows` counts what the batch that ended here took from
 * each shard, so that a re-read which comes back short is noticed.
 *
 * A shard that is not listed here is unknown to the query: it is read from TRIM_HORIZON once its parents are at
 * SHARD_END.
 */

export interface HorizonPosition {
  readonly from: 'TRIM_HORIZON'
  readonly seenMs?: number
}

export interface TimestampPosition {
  readonly timestampMs: number
  readonly seenMs?: number
}

export interface SequencePosition {
  readonly sequenceNumber: string
  readonly subSequenceNumber?: number
  readonly inclusive?: true
  readonly arrivedMs?: number
  readonly seenMs?: number
}

/** A place within a shard that has more to come. */
export type OpenPosition = HorizonPosition | TimestampPosition | SequencePosition

export type ShardPosition = 'SHARD_END' | OpenPosition

export const TRIM_HORIZON: HorizonPosition = Object.freeze({ from: 'TRIM_HORIZON' })

export interface StreamPosition {
  readonly stream: string
  readonly createdMs: number
  readonly shards: ReadonlyMap<string, ShardPosition>
  /** Rows that the batch which ended here took from each shard; shards without rows are left out. */
  readonly rows: ReadonlyMap<string, number>
}

export function isSequence(position: ShardPosition): position is SequencePosition {
  return typeof position === 'object' && 'sequenceNumber' in position
}

/** Sequence numbers are decimals of 56 digits and more, without leading zeros: the longer one is the greater. */
export function compareSequence(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a === b ? 0 : a < b ? -1 : 1
}

/** The iterator that brings a reader to `position`; inside an aggregate its record comes once more, to be cut. */
export function iteratorStart(position: OpenPosition): IteratorStart {
  if ('from' in position) return { type: 'TRIM_HORIZON' }
  if ('timestampMs' in position) return { type: 'AT_TIMESTAMP', timestampMs: position.timestampMs }
  const again = position.subSequenceNumber !== undefined || position.inclusive === true
  return {
    type: again ? 'AT_SEQUENCE_NUMBER' : 'AFTER_SEQUENCE_NUMBER',
    sequenceNumber: position.sequenceNumber,
  }
}

/** For messages: `after 4959… (7)`, `TRIM_HORIZON`, `2026-01-01T00:00:00.000Z`. */
export function describePosition(position: ShardPosition): string {
  if (position === 'SHARD_END') return position
  if ('from' in position) return position.from
  if ('timestampMs' in position) return new Date(position.timestampMs).toISOString()
  const sub = position.subSequenceNumber === undefined ? '' : ` (${position.subSequenceNumber})`
  return `${position.inclusive ? 'at' : 'after'} ${position.sequenceNumber}${sub}`
}

export function positionToJson(position: StreamPosition): Position {
  return {
    version: 1,
    stream: position.stream,
    createdMs: position.createdMs,
    shards: Object.fromEntries(sorted(position.shards)) as Json,
    rows: Object.fromEntries(sorted(position.rows)),
  }
}

/**
 * Reads a position back.
 *
 * @param source for messages: `kinesis[clicks]`
 * @throws KINESIS_POSITION_INVALID
 */
export function positionFromJson(source: string, json: Json): StreamPosition {
  const refuse = (reason: string): never => {
    throw new SluiceError('KINESIS_POSITION_INVALID', { source, reason })
  }
  if (!isObject(json)) return refuse('it is no JSON object')
  if (json['version'] !== 1)
    return refuse(`its version is ${JSON.stringify(json['version'])?.slice(0, 40)}, known is 1`)
  const { stream, createdMs, shards, rows } = json
  if (typeof stream !== 'string' || !isCount(createdMs)) return refuse('it does not name its stream')
  if (!isObject(shards) || !isObject(rows)) return refuse('it lists no shards')
  const parsed = new Map<string, ShardPosition>()
  for (const [shardId, value] of Object.entries(shards)) {
    if (!SHARD_ID.test(shardId)) refuse(`'${shardId.slice(0, 80)}' is no shard id`)
    parsed.set(shardId, shardPosition(value) ?? refuse(`the position of ${shardId} is malformed`))
  }
  const counts = new Map<string, number>()
  for (const [shardId, count] of Object.entries(rows)) {
    if (!parsed.has(shardId) || !isCount(count))
      return refuse(`the rows of '${shardId.slice(0, 80)}' are malformed`)
    counts.set(shardId, count)
  }
  return { stream, createdMs, shards: parsed, rows: counts }
}

const SHARD_ID = /^[a-zA-Z0-9_.-]{1,128}$/
const SEQUENCE_NUMBER = /^(0|[1-9]\d{0,128})$/

export function isSequenceNumber(value: unknown): value is string {
  return typeof value === 'string' && SEQUENCE_NUMBER.test(value)
}

function shardPosition(value: Json | undefined): ShardPosition | undefined {
  if (value === 'SHARD_END') return value
  if (!isObject(value)) return undefined
  const { from, timestampMs, sequenceNumber, subSequenceNumber, inclusive, arrivedMs, seenMs } = value
  const whole = [subSequenceNumber, arrivedMs, seenMs].every((each) => each === undefined || isCount(each))
  if (!whole || !(inclusive === undefined || inclusive === true)) return undefined
  const seen = isCount(seenMs) ? { seenMs } : {}
  if (from === 'TRIM_HORIZON') return { from, ...seen }
  if (isCount(timestampMs)) return { timestampMs, ...seen }
  if (!isSequenceNumber(sequenceNumber)) return undefined
  return {
    sequenceNumber,
    ...(isCount(subSequenceNumber) ? { subSequenceNumber } : {}),
    ...(inclusive === true ? { inclusive } : {}),
    ...(isCount(arrivedMs) ? { arrivedMs } : {}),
    ...seen,
  }
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}
