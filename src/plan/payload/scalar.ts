import type { DuckType } from '../../duck-type.ts'
import { literal } from '../../duckdb.ts'
import type { TimeFormats } from './time-format.ts'

/** A type without parts. */
export type ScalarType = Extract<DuckType, { kind: 'scalar' | 'decimal' }>

/** SQL over the SQL of a text. */
type Conversion = (text: string) => string

/**
 * How a text becomes a value: SQL that gives NULL where the text does not fit the type, and never a value that the
 * text does not say. DuckDB's own casts would make 2 of `1.5`, 16 of `0x10`, infinity of `1e400`, and would drop the
 * offset of `2024-01-01T00:00:00+02:00`.
 */
export interface ScalarRule {
  /** The value of a plain text. */
  readonly text: Conversion
  /** The value of a JSON token without quotes; must give NULL for one with quotes. Absent: none fits. */
  readonly bare?: Conversion
  /** The value of what stands between the quotes of a JSON token. Absent: none fits. */
  readonly quoted?: Conversion
  /**
   * The value of a JSON value's text, where only a string has a text that fits: quotes then need no look, and DuckDB
   * takes them off. Absent: it takes the token to tell.
   */
  readonly unquoted?: Conversion
}

/** @returns undefined for a type that no payload can carry */
export function scalarRule(type: ScalarType, formats: TimeFormats): ScalarRule | undefined {
  if (type.kind === 'decimal') return decimalRule(type)
  if (INTEGERS.has(type.name)) return integerRule(type.name)
  switch (type.name) {
    case 'BOOLEAN':
      return bareRule(booleanOf)
    case 'FLOAT':
    case 'DOUBLE':
      return floatRule(type.name)
    case 'VARCHAR':
      return quotedRule((text) => text)
    case 'UUID':
      return quotedRule((text) => tryCast(text, 'UUID'))
    case 'BLOB':
      return quotedRule((text) => when(text, BASE64, `from_base64(${text})`))
    case 'DATE':
      return formats.date ? quotedRule(dateIn(formats.date)) : stringRule(isoDate)
    case 'TIME':
      return stringRule((text) => when(text, TIME, tryCast(text, 'TIME')))
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return timestampRule(type.name, formats.timestamp)
    default:
      return undefined
  }
}

const INTEGERS = new Set(
  'TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT'.split(' '),
)

const INTEGER = '[+-]?[0-9]+'
const NUMBER = '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?'
const BASE64 = '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?'
const DATE = '[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}'
const TIME = '[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?'

const bareRule = (value: Conversion): ScalarRule => ({ text: value, bare: value })
const quotedRule = (value: Conversion): ScalarRule => ({ text: value, quoted: value })
/** Of what has a `-` or a `:` after its first digits, as no number has. */
const stringRule = (value: Conversion): ScalarRule => ({ text: value, quoted: value, unquoted: value })

function when(text: string, pattern: string, value: string): string {
  return `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN ${value} END`
}

function tryCast(text: string, type: string): string {
  return `TRY_CAST(${text} AS ${type})`
}

/** DuckDB writes a whole number of JSON in one way only, so the value has to say what the token says. */
function integerRule(type: string): ScalarRule {
  return {
    text: (text) => when(text, INTEGER, tryCast(text, type)),
    bare: (token) =>
      `CASE WHEN CAST(${tryCast(token, type)} AS VARCHAR) = ${token} THEN ${tryCast(token, type)} END`,
  }
}

function booleanOf(text: string): string {
  return `CASE WHEN ${text} IN ('true', 'True', 'TRUE') THEN true WHEN ${text} IN ('false', 'False', 'FALSE') THEN false END`
}

/** What is no number, in the spellings that Spark takes, with quotes or without. */
const NOT_FINITE = ['NaN', 'INF', '+INF', '-INF', 'Infinity', '+Infinity', '-Infinity']
  .map(literal)
  .join(', ')

/** A number beyond the type's range does not fit; the cast would make it infinite. */
function floatRule(type: string): ScalarRule {
  const number: Conversion = (text) =>
    `CASE WHEN isfinite(${tryCast(text, type)}) OR ${text} IN (${NOT_FINITE}) THEN ${tryCast(text, type)} END`
  const name: Conversion = (text) => `CASE WHEN ${text} IN (${NOT_FINITE}) THEN ${tryCast(text, type)} END`
  return { text: number, bare: number, quoted: name }
}

/** Decimal digits that a DOUBLE always keeps. */
const DOUBLE_DIGITS = 15

/**
 * Rounds to the scale, as every cast does. DuckDB reads a JSON number with a fraction as a DOUBLE: where that may have
 * changed a digit which the type would keep, the number does not fit; between quotes every digit counts.
 */
function decimalRule({ width, scale }: Extract<DuckType, { kind: 'decimal' }>): ScalarRule {
  const type = `DECIMAL(${width},${scale})`
  const value: Conversion = (text) => when(text, NUMBER, tryCast(text, type))
  const isExact: Conversion = (token) =>
    `length(${token}) <= ${DOUBLE_DIGITS + 1} OR regexp_full_match(${token}, ${literal(INTEGER)}) ` +
    `OR abs(${tryCast(token, 'DOUBLE')}) < 1e${DOUBLE_DIGITS - scale}`
  return {
    text: value,
    quoted: value,
    bare: (token) => `CASE WHEN ${isExact(token)} THEN ${value(token)} END`,
  }
}

const isoDate: Conversion = (text) => when(text, DATE, tryCast(text, 'DATE'))

function dateIn(formats: readonly string[]): Conversion {
  return (text) => `CAST(${strptime(text, formats)} AS DATE)`
}

/** From year 1 to 9999, so that milliseconds are not taken for seconds. */
export const EPOCH_S = { least: -62_135_596_800, greatest: 253_402_300_799 }

function timestampRule(type: string, format: TimeFormats['timestamp']): ScalarRule {
  // A cast would ask the time zone of the session for every value, at twice the cost of the parsing.
  const typed = (moment: string) => (type === 'TIMESTAMP' ? `make_timestamp(epoch_us(${moment}))` : moment)
  if (format === 'epoch_seconds' || format === 'epoch_millis') {
    const perSecond = format === 'epoch_seconds' ? 1 : 1000
    const range = `${EPOCH_S.least * perSecond} AND ${EPOCH_S.greatest * perSecond}`
    return bareRule((text) => {
      const count = tryCast(text, 'BIGINT')
      const moment = typed(`make_timestamptz(${count} * ${1_000_000 / perSecond})`)
      return when(text, INTEGER, `CASE WHEN ${count} BETWEEN ${range} THEN ${moment} END`)
    })
  }
  if (format) return quotedRule((text) => typed(`CAST(${strptime(text, format)} AS TIMESTAMPTZ)`))
  // Only on the way through TIMESTAMPTZ does an offset count. A digit comes first: not `infinity`, not `epoch`.
  return stringRule(
    (text) => `CASE WHEN ${text} BETWEEN '0' AND '9~' THEN ${typed(tryCast(text, 'TIMESTAMPTZ'))} END`,
  )
}

function strptime(text: string, formats: readonly string[]): string {
  return `try_strptime(${text}, [${formats.map(literal).join(', ')}])`
}
