import type { Schema } from '../batch.ts'
import { parseDuckType, typeText } from '../duck-type.ts'
import { SluiceError } from '../errors.ts'
import {
  type GivenOptions,
  type OptionsOf,
  type OptionTable,
  type OptionValue,
  parseOptions,
} from '../options.ts'
import { csvRecord, csvTakes } from './payload/csv-record.ts'
import { jsonRecord } from './payload/json-record.ts'
import { JsonValues } from './payload/json-value.ts'
import type { PayloadField, RecordParser } from './payload/record.ts'
import { textRecord } from './payload/text-record.ts'
import { timeFormats } from './payload/time-format.ts'

/** Payload fields and their types, DuckDB's or Spark's: `{ userId: 'BIGINT', tags: 'ARRAY<STRING>' }`. */
export type PayloadSchema = Readonly<Record<string, string>>

const COMMON = {
  payloadFormat: {
    kind: 'text',
    default: 'json',
    oneOf: ['json', 'csv', 'text'],
    doc: 'what a record is: one JSON object, one line of separated values, or one text',
  },
  mode: {
    kind: 'text',
    default: 'PERMISSIVE',
    oneOf: ['PERMISSIVE', 'DROPMALFORMED', 'FAILFAST'],
    doc: 'what becomes of a malformed record: a row with NULLs, nothing, or the end of the query',
  },
  columnNameOfCorruptRecord: {
    kind: 'text',
    default: '_corrupt_record',
    doc: 'VARCHAR column for the text of a malformed record, there when the schema names it; filled in mode PERMISSIVE',
  },
  badRecordsPath: {
    kind: 'text',
    doc: 'directory where every batch puts its malformed records as Parquet, below `query=<id>`',
  },
} as const satisfies OptionTable

const TIMES = {
  dateFormat: {
    kind: 'text',
    doc: 'pattern of DATE values, of strptime (`%Y-%m-%d`) or of Java (`yyyy-MM-dd`); else ISO 8601',
  },
  timestampFormat: {
    kind: 'text',
    doc: 'pattern of TIMESTAMP values, likewise, or `epoch_seconds` or `epoch_millis`; else ISO 8601. Without an offset it is UTC',
  },
} as const satisfies OptionTable

const CSV = {
  sep: {
    kind: 'text',
    default: ',',
    aliases: ['delimiter'],
    doc: 'csv: one character between values, or the word tab or space',
  },
  nullValue: { kind: 'text', default: '', doc: 'csv: what stands for NULL where it has no quotes' },
  header: {
    kind: 'text',
    default: 'false',
    oneOf: ['false'],
    doc: 'csv: a record has no header line; here for jobs that say so',
  },
} as const satisfies OptionTable

/** Options of a reader that say what its records are. They are the payload's: no source sees them. */
export const PAYLOAD_OPTIONS = { ...COMMON, ...TIMES, ...CSV } as const satisfies OptionTable

/** Those that mean something; any other is refused. */
const OPTIONS_BY_FORMAT = {
  json: { ...COMMON, ...TIMES },
  csv: PAYLOAD_OPTIONS,
  text: COMMON,
} as const

export type PayloadFormat = keyof typeof OPTIONS_BY_FORMAT
export type PayloadMode = 'PERMISSIVE' | 'DROPMALFORMED' | 'FAILFAST'

/** How the records of a stream become typed columns. */
export interface Payload {
  readonly format: PayloadFormat
  readonly mode: PayloadMode
  /** Columns of the source; `data` among them holds the record. */
  readonly source: Schema
  readonly fields: Schema
  /** Among the fields in the schema's order, if the schema names it. */
  readonly corruptColumn: string | undefined
  readonly badRecordsPath: string | undefined
  readonly parser: RecordParser
  /** What the stream gives: all its rows, or its malformed records alone. */
  readonly part: 'rows' | 'malformed'
}

/** `json (userId BIGINT, at TIMESTAMP), PERMISSIVE`, for explain. */
export function describePayload({ format, fields, mode, part }: Payload): string {
  const columns = fields.map(({ name, type }) => `${name} ${type}`).join(', ')
  return `${format} (${columns}), ${part === 'malformed' ? 'malformed records alone' : mode}`
}

/** Divides the options of a reader into those of the payload and those of the source. */
export function splitPayloadOptions(given: GivenOptions): { payload: GivenOptions; source: GivenOptions } {
  const table: OptionTable = PAYLOAD_OPTIONS
  const names = Object.entries(table).flatMap(([name, { aliases }]) => [name, ...(aliases ?? [])])
  const known = new Set(names.map((name) => name.toLowerCase()))
  const isOurs = ([name]: readonly [string, unknown]) => known.has(name.toLowerCase())
  const entries = [...given]
  return {
    payload: new Map(entries.filter(isOurs)),
    source: new Map(entries.filter((entry) => !isOurs(entry))),
  }
}

/**
 * @param schema absent: the bytes stay as they are, unless the options say `text`, which then is the column `value`
 * @param source the source's own columns
 * @param description of the source, for messages
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_TWICE, TYPE_UNKNOWN, COLUMN_CLASH, PAYLOAD_SCHEMA
 */
export function parsePayload(
  schema: PayloadSchema | undefined,
  given: GivenOptions,
  source: Schema,
  description: string,
): Payload | undefined {
  const refuse = (reason: string): never => {
    throw new SluiceError('PAYLOAD_SCHEMA', { source: description, reason })
  }
  if (!schema && given.size === 0) return undefined
  const format = formatOf(given)
  const whole = new Map([...given].map(([name, value]) => [name, separatorWord(name, value)]))
  const owner = `the payload (${format})`
  parseOptions(owner, OPTIONS_BY_FORMAT[format], whole)
  const options = parseOptions(owner, PAYLOAD_OPTIONS, whole)
  const fields = schema ?? (format === 'text' ? { value: 'VARCHAR' } : undefined)
  if (!fields) return refuse(`the options ${[...given.keys()].join(', ')} need one`)
  if (source.every(({ name, type }) => name !== 'data' || type !== 'BLOB'))
    return refuse('the source has no column data of type BLOB that could hold a payload')
  if (options.badRecordsPath !== undefined && options.mode === 'FAILFAST')
    return refuse(
      'with mode FAILFAST a batch with bad records is never written, so badRecordsPath has no use',
    )
  refuseClashes(fields, source, description)
  const typed = Object.entries(fields).map(([name, type]) => ({ name, type: parseDuckType(type) }))
  const corruptName = options.columnNameOfCorruptRecord.toLowerCase()
  const corrupt = typed.find(({ name }) => name.toLowerCase() === corruptName)
  if (corrupt && typeText(corrupt.type) !== 'VARCHAR') return refuse(`${corrupt.name} has to be a VARCHAR`)
  const payload = typed.filter((field) => field !== corrupt)
  refuseTypes(format, payload, refuse)
  return Object.freeze({
    format,
    mode: options.mode as PayloadMode,
    source,
    fields: typed.map(({ name, type }) => Object.freeze({ name, type: typeText(type) })),
    corruptColumn: corrupt?.name,
    badRecordsPath: options.badRecordsPath,
    parser: parserOf(format, payload, options),
    part: 'rows',
  })
}

function formatOf(given: GivenOptions): PayloadFormat {
  const own = [...given].filter(([name]) => name.toLowerCase() === 'payloadformat')
  const { payloadFormat } = parseOptions('the payload', { payloadFormat: COMMON.payloadFormat }, new Map(own))
  return payloadFormat as PayloadFormat
}

function refuseClashes(fields: PayloadSchema, source: Schema, description: string): void {
  const names = Object.keys(fields)
  for (const [index, column] of names.entries()) {
    const isIt = (name: string) => name.toLowerCase() === column.toLowerCase()
    if (source.some(({ name }) => isIt(name)))
      throw new SluiceError('COLUMN_CLASH', { column, source: description })
    if (names.slice(0, index).some(isIt))
      throw new SluiceError('COLUMN_CLASH', { column, source: 'another field of the schema' })
  }
}

function refuseTypes(
  format: PayloadFormat,
  fields: readonly PayloadField[],
  refuse: (reason: string) => never,
): void {
  if (fields.length === 0) refuse('it has no field')
  if (format === 'text' && (fields.length > 1 || typeText(fields[0]!.type) !== 'VARCHAR'))
    refuse('of payloadFormat text it is one VARCHAR')
  const takes = format === 'csv' ? csvTakes : JsonValues.takes
  const wrong = fields.find(({ type }) => !takes(type))
  if (wrong) refuse(`a ${format} payload cannot hold ${wrong.name} ${typeText(wrong.type)}`)
}

function parserOf(
  format: PayloadFormat,
  fields: readonly PayloadField[],
  options: OptionsOf<typeof PAYLOAD_OPTIONS>,
): RecordParser {
  if (format === 'text') return textRecord(fields[0]!)
  const formats = timeFormats(options)
  if (format === 'json') return jsonRecord(fields, formats)
  return csvRecord(fields, { separator: separatorOf(options.sep), nullValue: options.nullValue }, formats)
}

/** Blanks would be lost when the option is read. */
function separatorWord(name: string, value: OptionValue): OptionValue {
  if (!/^(sep|delimiter)$/i.test(name)) return value
  return value === '\t' ? 'tab' : value === ' ' ? 'space' : value
}

function separatorOf(sep: string): string {
  const separator = /^(tab|\\t)$/i.test(sep) ? '\t' : /^space$/i.test(sep) ? ' ' : sep
  if (/^[^"\r\n]$/u.test(separator)) return separator
  const expected = 'one character that is no quote and no line break, or the word tab or space'
  throw new SluiceError('OPTION_INVALID', { owner: 'the payload (csv)', option: 'sep', value: sep, expected })
}
