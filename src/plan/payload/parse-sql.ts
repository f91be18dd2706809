import type { Field, Schema } from '../../batch.ts'
import { literal, quoted } from '../../duckdb.ts'
import type { Payload } from '../payload.ts'
import { type FieldValues, type Reading, readColumn, type Step, TEXT } from './record.ts'

/** Why a record is malformed; NULL in all others. */
export const REASON = '"malformed because"'

/** What rows are parsed from. */
export interface Origin {
  readonly table: string
  /** The column of the records that are to be parsed; NULL where there is nothing to parse any more. */
  readonly data: string
  /** How the others were read; absent where there are none. */
  readonly reading?: Reading | undefined
}

/** Whether a record may be malformed though it was read. */
export function mayMisfit({ read }: Reading): boolean {
  return read.values.some(({ field }) => read.misfit(field, '') !== undefined)
}

/** The columns that are kept, and why the record is malformed. All fields are checked, whether or not they are kept. */
export function parseSql(
  payload: Payload,
  origin: Origin,
  kept: Schema,
  sqlOf: (step: Step) => string,
): string {
  const { parser } = payload
  // One bad record would fail a plain decode, and the batch with it.
  const text: Step = { column: TEXT, sql: `TRY(decode(${quoted(origin.data)}))` }
  const values = origin.reading?.rest ?? parser
  const checks = [{ when: `${TEXT} IS NULL`, reason: 'it is no UTF-8 text' }, ...parser.checks]
  // A record that is NULL has no payload; nothing is wrong with it.
  const isParsed = `WHEN ${quoted(origin.data)} IS NULL THEN ${origin.reading ? readReasonSql(payload, origin.reading) : 'NULL'}`
  const branches = [isParsed, ...[...checks, ...misfitsOf(payload, values)].map(branchOf)]
  const reason: Step = { column: REASON, sql: `CASE ${branches.join(' ')} END` }
  const steps = [[text], ...parser.steps.map((step) => [step]), valueSteps(values), [reason]]
  const items = kept.map((column) => keptSql(column, payload, origin))
  return `SELECT ${[...items, REASON].join(', ')} FROM ${layered(origin.table, steps, sqlOf)}`
}

/** The same, when all records have been read. */
export function readSql(payload: Payload, table: string, reading: Reading, kept: Schema): string {
  const isToken = new Set(reading.read.values.map(({ field }) => field.name))
  const items = kept.map(({ name, type }) => {
    if (payload.fields.every((field) => field.name !== name)) return quoted(name)
    const value = isToken.has(name) ? `CAST(${valueColumn(name)} AS ${type})` : readColumn(name)
    return `${name === payload.corruptColumn ? corruptSql(payload, readText(reading)) : value} AS ${quoted(name)}`
  })
  const reason: Step = { column: REASON, sql: readReasonSql(payload, reading) }
  const [steps, last] = mayMisfit(reading)
    ? [[valueSteps(reading.read), [reason]], REASON]
    : [[valueSteps(reading.read)], `${reason.sql} AS ${REASON}`]
  return `SELECT ${[...items, last].join(', ')} FROM ${layered(table, steps, ({ sql }) => sql)}`
}

/** Each layer of columns may use those before it. */
function layered(table: string, layers: readonly (readonly Step[])[], sqlOf: (step: Step) => string): string {
  return layers
    .filter((steps) => steps.length > 0)
    .reduce(
      (from, steps) =>
        `(SELECT *, ${steps.map((step) => `${sqlOf(step)} AS ${step.column}`).join(', ')} FROM ${from})`,
      table,
    )
}

/** Why a record is malformed that was read. */
function readReasonSql(payload: Payload, reading: Reading): string {
  const branches = misfitsOf(payload, reading.read).map(branchOf)
  return branches.length === 0 ? 'NULL::VARCHAR' : `CASE ${branches.join(' ')} END`
}

function misfitsOf({ fields }: Payload, { values, misfit }: FieldValues): { when: string; reason: string }[] {
  return values.flatMap(({ field }) => {
    const when = misfit(field, valueColumn(field.name))
    const type = fields.find(({ name }) => name === field.name)?.type
    return when === undefined ? [] : [{ when, reason: `${field.name} does not fit ${type}` }]
  })
}

const branchOf = ({ when, reason }: { when: string; reason: string }) =>
  `WHEN ${when} THEN ${literal(reason)}`

const valueSteps = ({ values }: FieldValues): Step[] =>
  values.map(({ field, value }) => ({ column: valueColumn(field.name), sql: value }))

/** A field's value while the columns of the source still stand beside it. */
const valueColumn = (name: string) => quoted(`value of ${name}`)

function keptSql({ name, type }: Field, payload: Payload, { data, reading }: Origin): string {
  if (payload.fields.every((field) => field.name !== name)) return quoted(name)
  const isRead = reading?.fields.some((field) => field.name === name && !field.isToken) ?? false
  const value = `CAST(${valueColumn(name)} AS ${type})`
  // Bytes that are no text come escaped, so that the column is NULL for no malformed record.
  const texts = [TEXT, `CAST(${quoted(data)} AS VARCHAR)`, ...(reading ? readText(reading) : [])]
  const sql = isRead ? `coalesce(${readColumn(name)}, ${value})` : value
  return `${name === payload.corruptColumn ? corruptSql(payload, texts) : sql} AS ${quoted(name)}`
}

/** @param texts SQL of what a malformed record may be, of which the first that is not NULL counts */
function corruptSql({ mode }: Payload, texts: readonly string[]): string {
  if (mode !== 'PERMISSIVE' || texts.length === 0) return 'CAST(NULL AS VARCHAR)'
  return `CASE WHEN ${REASON} IS NOT NULL THEN coalesce(${texts.join(', ')}) END`
}

/** A malformed record that was read; it is UTF-8. */
const readText = (reading: Reading) => (mayMisfit(reading) ? ['decode(data)'] : [])
