import { isBulk } from '../attach.ts'
import type { Field, Schema } from '../batch.ts'
import { parseDuckType } from '../duck-type.ts'
import { literal, quoted } from '../duckdb.ts'
import type { JsonColumns } from '../json/json-reader.ts'
import { type Step, TEXT } from './payload/record.ts'
import type { Payload, PayloadMode } from './payload.ts'

/** The parsing of one stream's records, as the SQL of every batch. */
export interface PayloadStage {
  readonly rawSchema: Schema
  readonly mode: PayloadMode
  /** How DuckDB parses all records. */
  readonly whole: Parsing
  /** How it parses what a reader of ours leaves; absent where that can read none. */
  readonly rest: RestParsing | undefined
  /** Creates, after the first parse, what the query reads: a view of the parsed rows. */
  readonly view: string
  readonly countMalformed: string
  /** One row: `reason`, `row` from 1, and the columns that say where the first malformed record stands. */
  readonly firstMalformed: string
  readonly badRecords: BadRecords | undefined
}

/** One of the ways in which attached rows become the table of parsed rows, which is the same in all of them. */
export interface Parsing {
  /** Where the source's own rows are attached. */
  readonly raw: string
  /** Of their columns what is read. */
  readonly rawColumns: readonly string[]
  /** Parses the rows, once for all who read them. */
  readonly careful: string
  /** Does the same: faster while no record is malformed, and slower as soon as some are. */
  readonly trusting: string
}

export interface RestParsing extends Parsing {
  /** What is read while rows are attached. */
  readonly columns: JsonColumns
  /** Takes what was read as all there is. Only right when nothing was left. */
  readonly nothing: string
}

/** Where malformed records are put, batch by batch. */
export interface BadRecords {
  /** The stream's own `badRecordsPath`. */
  readonly path: string | undefined
  readonly table: string
  readonly schema: Schema
  readonly keep: string
}

/** Why a record is malformed; NULL in all others. */
const REASON = '"malformed because"'

/** What `badRecords()` and `badRecordsPath` call it. */
const REASON_COLUMN = { name: 'reason', type: 'VARCHAR' }

/** Columns that say where a record stands, in the sources that have them; safe to print. */
const POSITION_COLUMNS = new Set(['streamname', 'shardid', 'sequencenumber', 'subsequencenumber'])

/** The columns of a stream whose records are parsed, or of its malformed records alone. */
export function payloadSchema({ source, fields, part }: Payload): Schema {
  return part === 'rows' ? [...source, ...fields] : [...source, REASON_COLUMN]
}

/** What is wanted of the parsed records; all of them, with all columns, unless it is said. */
export interface Wanted {
  /** The columns of the stream that the query looks at; the others are not kept. */
  readonly columns?: Schema | undefined
  /** SQL of a condition over these columns; rows that do not satisfy it need not be kept. */
  readonly rows?: string | undefined
  /** Whether malformed records are wanted as a whole, also without a `badRecordsPath`. */
  readonly badRecords?: boolean | undefined
}

/** @param table the name under which the query reads the rows */
export function payloadStage(
  payload: Payload,
  table: string,
  {
    columns: used = payloadSchema(payload),
    rows: condition,
    badRecords: keepsBadRecords = false,
  }: Wanted = {},
): PayloadStage {
  const { source, part, mode, badRecordsPath } = payload
  const keepsBad = keepsBadRecords || badRecordsPath !== undefined
  const [parsed, bad] = [`${table}_parsed`, `${table}_bad`]
  // A table has at least one column.
  const shown = used.length > 0 ? used : payloadSchema(payload).slice(-1)
  const columns = shown.map(({ name }) => quoted(name))
  const malformed = `FROM ${parsed} WHERE ${REASON} IS NOT NULL`
  const records = `SELECT ${source.map(({ name }) => quoted(name)).join(', ')}, ${REASON} AS ${REASON_COLUMN.name} ${malformed}`
  const kept = keptSchema(payload, shown, keepsBad)
  // In mode FAILFAST a malformed record may be named by its row in the batch.
  const isWanted = part === 'rows' && mode !== 'FAILFAST' ? condition : undefined
  const into = (select: string, filter: string | undefined): string =>
    `CREATE OR REPLACE TEMP TABLE ${parsed} AS ${filter === undefined ? select : `SELECT * FROM (${select}) WHERE ${filter}`}`
  // CASE, for OR may ask the condition of a record that is malformed.
  const filter = isWanted && `CASE WHEN ${REASON} IS NULL THEN ${isWanted} ELSE true END`
  const parsing = (origin: Origin): Parsing => ({
    raw: origin.table,
    rawColumns: source
      .filter((column) => column.name === origin.data || kept.includes(column))
      .map(({ name }) => name),
    careful: into(
      parseSql(payload, origin, kept, (step) => step.sql),
      filter,
    ),
    trusting: into(
      parseSql(payload, origin, kept, (step) => step.trusting ?? step.sql),
      filter,
    ),
  })
  const rest: Origin = { table: `${table}_read`, data: UNREAD, isRead: true }
  const columnsToRead = jsonColumns(payload, kept)
  const rows = `SELECT ${columns.join(', ')} FROM ${parsed}${mode === 'DROPMALFORMED' ? ` WHERE ${REASON} IS NULL` : ''}`
  const positions = source.filter(isPosition)
  const first = [`${REASON} AS reason`, 'row', ...positions.map(({ name }) => quoted(name))]
  return {
    rawSchema: source,
    whole: parsing({ table: `${table}_raw`, data: 'data', isRead: false }),
    rest: columnsToRead && {
      ...parsing(rest),
      columns: columnsToRead,
      nothing: into(nothingLeftSql(payload, rest, kept), isWanted),
    },
    // A stream of the malformed records is no place to fail because of them.
    mode: part === 'malformed' ? 'PERMISSIVE' : mode,
    view: `CREATE OR REPLACE TEMP VIEW ${table} AS ${part === 'malformed' ? records : rows}`,
    countMalformed: `SELECT count(${REASON}) FROM ${parsed}`,
    firstMalformed:
      `SELECT ${first.join(', ')} FROM (SELECT *, row_number() OVER () AS row FROM ${parsed}) ` +
      `WHERE ${REASON} IS NOT NULL ORDER BY row LIMIT 1`,
    badRecords:
      !keepsBad || part === 'malformed'
        ? undefined
        : {
            path: badRecordsPath,
            table: bad,
            schema: [...source, REASON_COLUMN],
            keep: `CREATE OR REPLACE TEMP TABLE ${bad} AS ${records}`,
          },
  }
}

/** Columns of the parsed rows: what the query looks at, and what is to be said of malformed records. */
function keptSchema({ source, fields, part, mode }: Payload, shown: Schema, keepsBad: boolean): Schema {
  if (part === 'malformed') return source
  const isKept = (column: Field) =>
    keepsBad || (mode === 'FAILFAST' && isPosition(column)) || shown.includes(column)
  return [...source.filter(isKept), ...fields.filter((field) => shown.includes(field))]
}

const isPosition = ({ name }: Field) => POSITION_COLUMNS.has(name.toLowerCase())

/** What rows are parsed from. */
interface Origin {
  readonly table: string
  /** The column of the records that are to be parsed; NULL where there is nothing to parse any more. */
  readonly data: string
  /** Whether there are values that a reader has read. */
  readonly isRead: boolean
}

/** Records that a reader left as they are. */
const UNREAD = 'unread data'

/** What a reader has read of a field; NULL in records that it left. */
const readName = (field: string) => `read ${field}`

/** @returns undefined for payloads that no reader can read, or beside whose records there are values with parts */
function jsonColumns({ parser, source }: Payload, kept: Schema): JsonColumns | undefined {
  const { plain, values } = parser
  const isPlain = source.every((column) => !kept.includes(column) || isBulk(parseDuckType(column.type)))
  if (!plain || !isPlain) return undefined
  const keptField = (name: string) => kept.find((column) => column.name === name && !source.includes(column))
  const fields = values.map(({ field: { name } }, index) => ({
    name,
    as: plain[index]!,
    isKept: keptField(name) !== undefined,
  }))
  const schema = fields.flatMap(({ name }) => {
    const field = keptField(name)
    return field ? [{ name: readName(name), type: field.type }] : []
  })
  return { from: 'data', fields, schema: [...schema, { name: UNREAD, type: 'BLOB' }] }
}

/** The columns that are kept, when a reader has read all records. */
function nothingLeftSql({ fields, corruptColumn }: Payload, { table }: Origin, kept: Schema): string {
  const items = kept.map((column) => {
    const { name } = column
    if (!fields.includes(column)) return quoted(name)
    return name === corruptColumn
      ? `NULL::VARCHAR AS ${quoted(name)}`
      : `${quoted(readName(name))} AS ${quoted(name)}`
  })
  return `SELECT ${[...items, `NULL::VARCHAR AS ${REASON}`].join(', ')} FROM ${table}`
}

/** The columns that are kept, and why the record is malformed. All fields are checked, whether or not they are kept. */
function parseSql(payload: Payload, origin: Origin, kept: Schema, sqlOf: (step: Step) => string): string {
  const { parser, fields } = payload
  // One bad record would fail a plain decode, and the batch with it.
  const text: Step = { column: TEXT, sql: `TRY(decode(${quoted(origin.data)}))` }
  const values = parser.values.map(({ field, value }) => ({ column: fieldColumn(field.name), sql: value }))
  const reason: Step = { column: REASON, sql: reasonSql(payload, origin) }
  const layers: readonly (readonly Step[])[] = [
    [text],
    ...parser.steps.map((step) => [step]),
    values,
    [reason],
  ]
  const rows = layers.reduce(
    (from, steps) =>
      `(SELECT *, ${steps.map((step) => `${sqlOf(step)} AS ${step.column}`).join(', ')} FROM ${from})`,
    origin.table,
  )
  const items = [
    ...kept.map((column) =>
      fields.includes(column)
        ? `${fieldSql(column, payload, origin)} AS ${quoted(column.name)}`
        : quoted(column.name),
    ),
    REASON,
  ]
  return `SELECT ${items.join(', ')} FROM ${rows}`
}

function reasonSql({ parser, fields }: Payload, { data }: Origin): string {
  const misfits = parser.values.flatMap(({ field }) => {
    const misfit = parser.misfit(field, fieldColumn(field.name))
    const type = fields.find(({ name }) => name === field.name)?.type
    return misfit === undefined ? [] : [{ when: misfit, reason: `${field.name} does not fit ${type}` }]
  })
  const checks = [{ when: `${TEXT} IS NULL`, reason: 'it is no UTF-8 text' }, ...parser.checks, ...misfits]
  const branches = checks.map(({ when, reason }) => `WHEN ${when} THEN ${literal(reason)}`)
  // A record that is NULL has no payload; nothing is wrong with it.
  return `CASE WHEN ${quoted(data)} IS NULL THEN NULL ${branches.join(' ')} END`
}

function fieldSql({ name, type }: Field, { corruptColumn, mode }: Payload, { data, isRead }: Origin): string {
  const value = `CAST(${fieldColumn(name)} AS ${type})`
  if (name !== corruptColumn) return isRead ? `coalesce(${quoted(readName(name))}, ${value})` : value
  if (mode !== 'PERMISSIVE') return 'CAST(NULL AS VARCHAR)'
  // Bytes that are no text come escaped, so that the column is NULL for no malformed record.
  return `CASE WHEN ${REASON} IS NOT NULL THEN coalesce(${TEXT}, CAST(${quoted(data)} AS VARCHAR)) END`
}

/** A field's value while the columns of the source still stand beside it. */
function fieldColumn(name: string): string {
  return quoted(`value of ${name}`)
}
