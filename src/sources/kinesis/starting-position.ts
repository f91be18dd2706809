import type { Json } from '../../batch.ts'
import { SluiceError } from '../../errors.ts'
import { isSequenceNumber, type ShardPosition, TRIM_HORIZON } from './position.ts'

/** Where a shard starts when no checkpoint says so. `LATEST` becomes a timestamp once, at the first start. */
export type ShardStart = ShardPosition | 'LATEST'

export interface StartingPosition {
  /** Of all shards that are not named. */
  readonly others: ShardStart
  readonly shards: ReadonlyMap<string, ShardStart>
  /** As the user wrote it, for the log. */
  readonly text: string
}

const EXPECTED =
  'latest, trim_horizon, earliest, at_timestamp 2026-01-31T08:00:00Z (or epoch milliseconds), or JSON of positions by shard'

/**
 * Reads the option `startingPosition`:
 *
 * - `latest`, `trim_horizon`, `earliest`
 * - `at_timestamp 2026-01-31T08:00:00Z`, `at_timestamp 1769846400000`, `{"at_timestamp": …}`
 * - JSON by shard: `{"shardId-000000000000": "trim_horizon", "shardId-000000000001": {"after_sequence_number": "4959…"},
 *   "others": "latest"}`, and the `{"iteratorType": …, "iteratorPosition": …}` that Spark's connectors log
 *
 * @throws OPTION_INVALID
 */
export function parseStartingPosition(owner: string, text: string): StartingPosition {
  const parsed = fromText(text.trim())
  if (parsed === undefined) {
    const value = text.trim().slice(0, 80)
    throw new SluiceError('OPTION_INVALID', { owner, option: 'startingPosition', value, expected: EXPECTED })
  }
  return { ...parsed, text: text.trim().slice(0, 200) }
}

function fromText(text: string): Omit<StartingPosition, 'text'> | undefined {
  if (text.startsWith('{')) return fromJson(text)
  const others = fromWord(text)
  return others === undefined ? undefined : { others, shards: new Map() }
}

function fromWord(text: string): ShardStart | undefined {
  switch (text.toLowerCase()) {
    case 'latest':
      return 'LATEST'
    case 'trim_horizon':
    case 'earliest':
      return TRIM_HORIZON
    case 'shard_end':
      return 'SHARD_END'
  }
  const [, when] = /^at_timestamp\s+(\S+)$/i.exec(text) ?? []
  return when === undefined ? undefined : fromTimestamp(when)
}

function fromJson(text: string): Omit<StartingPosition, 'text'> | undefined {
  const json = parseJson(text)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const entries = Object.entries(json as Record<string, Json>)
  const [only] = entries
  if (entries.length === 1 && only?.[0].toLowerCase() === 'at_timestamp') {
    const others = fromTimestamp(only[1])
    return others === undefined ? undefined : { others, shards: new Map() }
  }
  let others: ShardStart = 'LATEST'
  const shards = new Map<string, ShardStart>()
  for (const [name, value] of entries) {
    // What a Spark connector logged beside the shards; the stream is named by its own option here.
    if (name === 'metadata') continue
    const start = typeof value === 'string' ? fromWord(value) : fromObject(value)
    if (start === undefined) return undefined
    if (name === 'others') others = start
    else shards.set(name, start)
  }
  return shards.size === 0 ? undefined : { others, shards }
}

function fromObject(value: Json): ShardStart | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = new Map(Object.entries(value).map(([name, each]) => [name.toLowerCase(), each as Json]))
  const type = fields.get('iteratortype')
  if (typeof type === 'string') {
    return fromIterator(
      type.toUpperCase(),
      fields.get('iteratorposition'),
      fields.get('subsequencenumber'),
      fields.get('islast'),
    )
  }
  const [entry] = fields
  if (entry === undefined || fields.size !== 1) return undefined
  return fromIterator(entry[0].toUpperCase(), entry[1], undefined, undefined)
}

/** `subSequenceNumber` and `isLast` as awslabs/spark-sql-kinesis-connector logs them: text, -1 for no aggregate. */
function fromIterator(
  type: string,
  at: Json | undefined,
  sub: Json | undefined,
  last: Json | undefined,
): ShardStart | undefined {
  switch (type) {
    case 'TRIM_HORIZON':
      return TRIM_HORIZON
    case 'LATEST':
    case 'SHARD_END':
      return type
    case 'AT_TIMESTAMP':
      return fromTimestamp(at)
  }
  if (!isSequenceNumber(at) || !/^A(T|FTER)_SEQUENCE_NUMBER$/.test(type)) return undefined
  const index = Number(sub ?? -1)
  if (!Number.isSafeInteger(index)) return undefined
  if (index >= 0 && String(last) !== 'true') return { sequenceNumber: at, subSequenceNumber: index }
  const inclusive = type === 'AT_SEQUENCE_NUMBER' && index < 0
  return { sequenceNumber: at, ...(inclusive ? { inclusive } : {}) }
}

/** A time zone is required: without one the same text would mean different records on different machines. */
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/i

function fromTimestamp(value: Json | undefined): ShardStart | undefined {
  const text = String(value)
  const ms = /^\d{1,16}$/.test(text)
    ? Number(text)
    : ISO.test(text)
      ? Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))
      : Number.NaN
  return Number.isSafeInteger(ms) && ms >= 0 ? { timestampMs: ms } : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
