import { SluiceError } from './errors.ts'

/** What a user may hand to `.option(name, value)`. */
export type OptionValue = string | number | boolean

/** One option as data: parsed, documented and refused from this row alone. */
export interface OptionSpec {
  readonly kind: 'text' | 'count' | 'duration' | 'boolean' | 'secret' | 'bytes'
  readonly doc: string
  /** As a user would write it. Absent: no value unless given. */
  readonly default?: string
  readonly required?: true
  /** Smallest accepted value of a count, duration (ms) or bytes; 0 unless stated. */
  readonly min?: number
  readonly max?: number
  /** Accepted values of a text, compared without regard to case. */
  readonly oneOf?: readonly string[]
  /** Spellings of other engines, so that a migrated job runs as it was written. */
  readonly aliases?: readonly string[]
}

export type OptionTable = Readonly<Record<string, OptionSpec>>

type ValueOf<S extends OptionSpec> = S['kind'] extends 'count' | 'duration' | 'bytes'
  ? number
  : S['kind'] extends 'boolean'
    ? boolean
    : string

/** Options with a default or `required` are always there; the others may be undefined. */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { default: string } | { required: true }
    ? ValueOf<T[K]>
    : ValueOf<T[K]> | undefined
}

/** Option names compare without regard to case, as in Spark. Later entries win. */
export type GivenOptions = ReadonlyMap<string, OptionValue>

/**
 * Reads `given` against `table`.
 *
 * @param owner what the options belong to, for messages: `source kinesis`, `sink console`, `query`
 * @throws OPTION_UNKNOWN with the nearest known name, OPTION_MISSING, OPTION_INVALID, OPTION_TWICE
 */
export function parseOptions<const T extends OptionTable>(
  owner: string,
  table: T,
  given: GivenOptions,
): OptionsOf<T> {
  const canonical = new Map<string, string>()
  for (const [name, spec] of Object.entries(table)) {
    for (const spelling of [name, ...(spec.aliases ?? [])]) canonical.set(spelling.toLowerCase(), name)
  }
  const values = new Map<string, { written: string; value: OptionValue }>()
  for (const [written, value] of given) {
    const name = canonical.get(written.toLowerCase())
    if (name === undefined) {
      throw new SluiceError('OPTION_UNKNOWN', {
        option: written,
        owner,
        hint: didYouMean(written, Object.keys(table)),
      })
    }
    const other = values.get(name)
    if (other && other.written.toLowerCase() !== written.toLowerCase()) {
      throw new SluiceError('OPTION_TWICE', { owner, option: name, first: other.written, second: written })
    }
    values.set(name, { written, value })
  }
  const parsed: Record<string, OptionValue | undefined> = {}
  for (const [name, spec] of Object.entries(table)) {
    const raw = values.get(name)?.value ?? spec.default
    if (raw === undefined) {
      if (spec.required) throw new SluiceError('OPTION_MISSING', { owner, option: name, doc: spec.doc })
      continue
    }
    parsed[name] = parseValue(owner, values.get(name)?.written ?? name, spec, raw)
  }
  return Object.freeze(parsed) as OptionsOf<T>
}

/** `did you mean 'x'?`, or the list of known names when nothing is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const ranked = known
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  if (best && best.distance <= Math.max(2, Math.floor(word.length / 3))) return `did you mean '${best.name}'?`
  return known.length > 0 ? `known: ${known.join(', ')}` : 'it takes none'
}

const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|seconds?|m|min|minutes?|h|hours?|d|days?)?$/i
const DURATION_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `500ms`, `10s`, `5 minutes`, `1h`, `2 days` or a bare number of milliseconds; else undefined. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim())
  if (!match) return undefined
  const unit = (match[2] ?? 'ms').toLowerCase()
  const scale = unit === 'ms' || unit.startsWith('milli') ? 1 : DURATION_MS[unit[0] ?? '']
  return scale === undefined ? undefined : Number(match[1]) * scale
}

const BYTES = /^(\d+(?:\.\d+)?)\s*(b|kb|kib|mb|mib|gb|gib)?$/i
const BYTES_SCALE: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  kib: 1024,
  mb: 1e6,
  mib: 1024 ** 2,
  gb: 1e9,
  gib: 1024 ** 3,
}

function parseValue(owner: string, option: string, spec: OptionSpec, raw: OptionValue): OptionValue {
  const text = String(raw).trim()
  const refuse = (expected: string): never => {
    const value = spec.kind === 'secret' ? '***' : text.slice(0, 80)
    throw new SluiceError('OPTION_INVALID', { owner, option, value, expected })
  }
  const inRange = (value: number, unit: string): number => {
    const min = spec.min ?? 0
    if (value < min) refuse(`at least ${min}${unit}`)
    if (spec.max !== undefined && value > spec.max) refuse(`at most ${spec.max}${unit}`)
    return value
  }
  switch (spec.kind) {
    case 'boolean':
      if (/^true$/i.test(text)) return true
      if (/^false$/i.test(text)) return false
      return refuse('true or false')
    case 'count':
      if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) return refuse('a whole number')
      return inRange(Number(text), '')
    case 'duration': {
      const ms = parseDuration(text)
      return ms === undefined ? refuse('a duration such as 500ms, 10s, 5m or 1h') : inRange(ms, ' ms')
    }
    case 'bytes': {
      const match = BYTES.exec(text)
      if (!match) return refuse('a size such as 64MiB, 10MB or a number of bytes')
      return inRange(
        Math.floor(Number(match[1]) * (BYTES_SCALE[(match[2] ?? 'b').toLowerCase()] ?? 1)),
        ' bytes',
      )
    }
    case 'text': {
      if (spec.required && text === '')
        throw new SluiceError('OPTION_MISSING', { owner, option, doc: spec.doc })
      if (!spec.oneOf) return text
      return (
        spec.oneOf.find((value) => value.toLowerCase() === text.toLowerCase()) ??
        refuse(spec.oneOf.join(' | '))
      )
    }
    case 'secret':
      return text
  }
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
