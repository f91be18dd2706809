import { isBulk } from '../attach.ts'
import type { Field, Schema } from '../batch.ts'
import { parseDuckType } from '../duck-type.ts'
import { quoted } from '../duckdb.ts'
import type { JsonColumns } from '../json/json-reader.ts'
import { mayMisfit, type Origin, parseSql, REASON, readSql } from './payload/parse-sql.ts'
import { type Reading, readName } from './payload/record.ts'
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
  /** Whether a record may be malformed though it was read. */
  readonly mayMisfit: boolean
}

/** Where malformed records are put, batch by batch. */
export interface BadRecords {
  /** The stream's own `badRecordsPath`. */
  readonly path: string | undefined
  readonly table: string
  readonly schema: Schema
  readonly keep: string
}

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
  const parsing = (origin: Origin, isNeeded: (column: Field) => boolean): Parsing => ({
    raw: origin.table,
    rawColumns: source.filter((column) => kept.includes(column) || isNeeded(column)).map(({ name }) => name),
    careful: into(
      parseSql(payload, origin, kept, (step) => step.sql),
      filter,
    ),
    trusting: into(
      parseSql(payload, origin, kept, (step) => step.trusting ?? step.sql),
      filter,
    ),
  })
  const isData = ({ name }: Field) => name === 'data'
  const restParsing = (reading: Reading, columnsToRead: JsonColumns): RestParsing => {
    const read = `${table}_read`
    const isMalformed = mayMisfit(reading)
    // The text of a record that was read is asked for when it is malformed.
    const needsText = isMalformed && kept.some(({ name }) => name === payload.corruptColumn)
    return {
      ...parsing({ table: read, data: UNREAD, reading }, (column) => needsText && isData(column)),
      columns: columnsToRead,
      nothing: into(readSql(payload, read, reading, kept), isMalformed ? filter : isWanted),
      mayMisfit: isMalformed,
    }
  }
  const { reading } = payload.parser
  const columnsToRead = reading && jsonColumns(payload, reading, kept)
  const rows = `SELECT ${columns.join(', ')} FROM ${parsed}${mode === 'DROPMALFORMED' ? ` WHERE ${REASON} IS NULL` : ''}`
  const positions = source.filter(isPosition)
  const first = [`${REASON} AS reason`, 'row', ...positions.map(({ name }) => quoted(name))]
  return {
    rawSchema: source,
    whole: parsing({ table: `${table}_raw`, data: 'data' }, isData),
    rest: reading && columnsToRead && restParsing(reading, columnsToRead),
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

/** Records that a reader left as they are. */
const UNREAD = 'unread data'

/** @returns undefined when beside the records values with parts are kept: they come row by row */
function jsonColumns({ source }: Payload, { fields }: Reading, kept: Schema): JsonColumns | undefined {
  const isPlain = source.every((column) => !kept.includes(column) || isBulk(parseDuckType(column.type)))
  if (!isPlain) return undefined
  const columns = fields.map(({ name, as, isToken }) => {
    const field = kept.find((column) => column.name === name && !source.includes(column))
    // Of what is not wanted it has to be known whether it fits.
    return {
      name,
      as,
      isKept: isToken || field !== undefined,
      type: isToken ? 'VARCHAR' : (field?.type ?? ''),
    }
  })
  const schema = columns.flatMap(({ name, isKept, type }) => (isKept ? [{ name: readName(name), type }] : []))
  return { from: 'data', fields: columns, schema: [...schema, { name: UNREAD, type: 'BLOB' }] }
}
