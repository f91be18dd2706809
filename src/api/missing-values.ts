import type { Field, Schema } from '../batch.ts'
import { quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'
import { INPUT } from '../plan/draft.ts'
import { sqlOf } from './column.ts'

/** Which rows `dropna` drops. */
export interface DropOptions {
  /** `any` (default): rows with a missing value; `all`: rows without any other. */
  readonly how?: 'any' | 'all'
  /** Keeps rows with at least so many values, whatever `how` says. */
  readonly thresh?: number
  /** Looks at these columns only. */
  readonly subset?: readonly string[]
}

/** What `fillna` puts in: one value for the columns of its kind, or one for each column by name. */
export type Fill = FillValue | Readonly<Record<string, FillValue>>
type FillValue = string | number | bigint | boolean

/** Missing is NULL, and NaN in a column of fractions, as in Spark. */
export function dropnaSql(columns: Schema, { how = 'any', thresh, subset }: DropOptions): string {
  const looked = subset ? subset.map((name) => fieldOf(columns, name)) : columns
  const least = thresh ?? (how === 'any' ? looked.length : Math.min(1, looked.length))
  const values = looked.map((field) => `CAST(${isThere(field)} AS INTEGER)`).join(' + ')
  return `SELECT * FROM ${INPUT} WHERE ${values || '0'} >= ${least}`
}

export function fillnaSql(columns: Schema, fill: Fill, subset?: readonly string[]): string {
  const given = typeof fill === 'object' ? fill : undefined
  const filled = (given ? Object.keys(given) : (subset ?? columns.map(({ name }) => name))).map((name) =>
    fieldOf(columns, name),
  )
  const items = filled.flatMap((field) => {
    const value = given ? valueFor(given, field.name) : (fill as FillValue)
    // A value for all columns is meant for those of its kind; one for a named column is cast to it.
    if (!given && kindOf(field.type) !== kindOfValue(value)) return []
    const name = quoted(field.name)
    return [
      `CASE WHEN ${isThere(field)} THEN ${name} ELSE CAST(${sqlOf(value)} AS ${field.type}) END AS ${name}`,
    ]
  })
  return `SELECT *${items.length > 0 ? ` REPLACE (${items.join(', ')})` : ''} FROM ${INPUT}`
}

/** @throws SQL_INVALID */
export function fieldOf(columns: Schema, name: string): Field {
  const field = columns.find((each) => each.name.toLowerCase() === name.toLowerCase())
  if (field) return field
  const names = columns.map((each) => each.name)
  throw new SluiceError('SQL_INVALID', { reason: `there is no column '${name}': ${didYouMean(name, names)}` })
}

function valueFor(given: Readonly<Record<string, FillValue>>, name: string): FillValue {
  return Object.entries(given).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] as FillValue
}

function isThere({ name, type }: Field): string {
  const isFraction = type === 'DOUBLE' || type === 'FLOAT'
  return `(${quoted(name)} IS NOT NULL${isFraction ? ` AND NOT isnan(${quoted(name)})` : ''})`
}

function kindOf(type: string): string {
  if (type === 'VARCHAR') return 'text'
  if (type === 'BOOLEAN') return 'boolean'
  return /^(?:DECIMAL|DOUBLE|FLOAT|U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?\b)/.test(type) &&
    !type.endsWith(']')
    ? 'number'
    : 'other'
}

function kindOfValue(value: FillValue): string {
  return typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'boolean' : 'number'
}
