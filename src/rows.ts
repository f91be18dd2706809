import type { Data, RecordBatch } from 'apache-arrow'
import { arrowData } from './arrow.ts'
import { recordBatch, type Schema } from './batch.ts'
import { type DuckType, parseDuckType, typeText } from './duck-type.ts'
import type { Row } from './duckdb.ts'
import { SluiceError } from './errors.ts'

/**
 * Plain objects as one Arrow record batch. Values are those of `Row`; a missing field is NULL, an integer may be a
 * number or a bigint, and a DECIMAL also the text of one.
 *
 * @throws VALUE_INVALID, which tells types, not values
 */
export function recordsOf(schema: Schema, rows: readonly Row[]): RecordBatch {
  const columns = schema.map(({ name, type }) =>
    dataOf(
      parseDuckType(type),
      rows.map((row) => row[name]),
    ),
  )
  return recordBatch(schema, columns)
}

/**
 * JavaScript values as one Arrow column.
 *
 * @throws VALUE_INVALID
 */
export function dataOf(type: DuckType, values: readonly unknown[]): Data {
  return arrowData(
    type,
    values.map((value) => duckValue(type, value)),
  )
}

/**
 * A check of single rows for fields that the schema does not name: they would be lost without a word.
 *
 * @throws VALUE_INVALID from the check
 */
export function fieldCheck(schema: Schema): (row: unknown) => void {
  const names = new Set(schema.map(({ name }) => name))
  return (row) => {
    const isRow = typeof row === 'object' && row !== null && !Array.isArray(row)
    if (!isRow) throw new SluiceError('VALUE_INVALID', { type: 'a row', found: kindOf(row) })
    const unknown = Object.keys(row).find((field) => !names.has(field))
    if (unknown === undefined) return
    const type = `one of ${[...names].join(', ')}`
    throw new SluiceError('VALUE_INVALID', { type, found: `the field '${unknown}'` })
  }
}

/** A JavaScript value in the form in which DuckDB's client gives values of that type. */
function duckValue(type: DuckType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'decimal':
      return { value: unscaled(type, value) }
    case 'list':
    case 'array': {
      const items = iterable(type, value)
      if (type.kind === 'array' && items.length !== type.length) throw misfit(type, value)
      return { items: items.map((item) => duckValue(type.child, item)) }
    }
    case 'struct': {
      if (typeof value !== 'object' || Array.isArray(value) || value instanceof Date)
        throw misfit(type, value)
      const fields = type.fields.map(({ name, type: field }) => [
        name,
        duckValue(field, (value as Row)[name]),
      ])
      return { entries: Object.fromEntries(fields) }
    }
    case 'map': {
      const entries =
        value instanceof Map ? [...value].map(([key, item]) => ({ key, value: item })) : iterable(type, value)
      return {
        entries: (entries as readonly { key: unknown; value: unknown }[]).map((entry) => ({
          key: duckValue(type.key, entry.key),
          value: duckValue(type.value, entry.value),
        })),
      }
    }
    case 'scalar':
      return scalarValue(type, value)
  }
}

function iterable(type: DuckType, value: unknown): unknown[] {
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && Symbol.iterator in value)
  if (!isList) throw misfit(type, value)
  return [...(value as Iterable<unknown>)]
}

/** Least and greatest value of every integer type. */
const RANGES: Readonly<Record<string, readonly [least: bigint, greatest: bigint]>> = {
  TINYINT: signed(8n),
  SMALLINT: signed(16n),
  INTEGER: signed(32n),
  BIGINT: signed(64n),
  HUGEINT: signed(128n),
  UTINYINT: [0n, 2n ** 8n - 1n],
  USMALLINT: [0n, 2n ** 16n - 1n],
  UINTEGER: [0n, 2n ** 32n - 1n],
  UBIGINT: [0n, 2n ** 64n - 1n],
}

function signed(bits: bigint): readonly [least: bigint, greatest: bigint] {
  return [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
}

/** Types that Arrow keeps in 64 bits or more, and this module as bigint. */
const LARGE = new Set(['BIGINT', 'UBIGINT', 'HUGEINT'])

function scalarValue(type: Extract<DuckType, { kind: 'scalar' }>, value: unknown): unknown {
  const { name } = type
  const range = RANGES[name]
  if (range) return integer(type, range, value)
  switch (name) {
    case 'BOOLEAN':
      if (typeof value !== 'boolean') throw misfit(type, value)
      return value
    case 'FLOAT':
    case 'DOUBLE':
      if (typeof value !== 'number' && typeof value !== 'bigint') throw misfit(type, value)
      return Number(value)
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return { micros: BigInt(millis(type, value)) * 1000n }
    case 'DATE':
      return { days: Math.floor(millis(type, value) / 86_400_000) }
    case 'TIME':
      if (typeof value !== 'bigint') throw misfit(type, value)
      return { micros: value }
    case 'BLOB':
      if (!(value instanceof Uint8Array)) throw misfit(type, value)
      return { bytes: value }
    case 'VARCHAR':
      if (typeof value !== 'string') throw misfit(type, value)
      return value
    default:
      return value
  }
}

function millis(type: DuckType, value: unknown): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isNaN(ms)) throw misfit(type, value)
  return ms
}

function integer(
  type: Extract<DuckType, { kind: 'scalar' }>,
  [least, greatest]: readonly [bigint, bigint],
  value: unknown,
): number | bigint {
  const isInteger = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  if (!isInteger) throw misfit(type, value)
  if (value < least || value > greatest) throw misfit(type, value, 'a number out of range')
  return LARGE.has(type.name) ? BigInt(value) : Number(value)
}

/** The digits of a DECIMAL without its point. */
function unscaled(type: Extract<DuckType, { kind: 'decimal' }>, value: unknown): bigint {
  const found =
    typeof value === 'number' && Number.isFinite(value) ? scaledNumber(type, value) : exact(type, value)
  if (found >= 10n ** BigInt(type.width) || found <= -(10n ** BigInt(type.width)))
    throw misfit(type, value, 'a number out of range')
  return found
}

function scaledNumber({ scale }: { readonly scale: number }, value: number): bigint {
  return BigInt(Math.round(value * 10 ** scale))
}

/** Of a bigint, or of a text such as `-12.50`, digit by digit. */
function exact(type: Extract<DuckType, { kind: 'decimal' }>, value: unknown): bigint {
  const text = typeof value === 'bigint' || typeof value === 'string' ? String(value) : ''
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (sign === undefined || fraction.replace(/0+$/, '').length > type.scale) throw misfit(type, value)
  const digits = BigInt(whole + fraction.slice(0, type.scale).padEnd(type.scale, '0'))
  return sign === '-' ? -digits : digits
}

function misfit(type: DuckType, value: unknown, found = kindOf(value)): SluiceError {
  return new SluiceError('VALUE_INVALID', { type: typeText(type), found })
}

function kindOf(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a fraction'
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  return Array.isArray(value) ? 'an array' : 'an object'
}
