import type { Schema } from '../batch.ts'
import { parseDuckType } from '../duck-type.ts'
import { literal, quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { GivenOptions, OptionValue } from '../options.ts'
import { draftOver, INPUT } from '../plan/draft.ts'
import { sourceFormat } from '../sources/index.ts'
import type { SourceFormat } from '../sources/source.ts'
import { DataFrame } from './dataframe.ts'
import type { SessionContext } from './session-context.ts'

/** Payload fields and their DuckDB types: `{ userId: 'BIGINT', at: 'TIMESTAMP' }`. */
export type PayloadSchema = Readonly<Record<string, string>>

/** The parsed payload while its fields are taken out; no column of a source has such a name. */
const PAYLOAD = 'parsed payload'

/** Says what stream to read. Immutable; every call gives a new one. */
export class DataStreamReader {
  readonly #context: SessionContext
  readonly #format: string | SourceFormat
  readonly #options: GivenOptions
  readonly #schema: PayloadSchema | undefined

  constructor(
    context: SessionContext,
    format: string | SourceFormat = '',
    options: GivenOptions = new Map(),
    schema: PayloadSchema | undefined = undefined,
  ) {
    this.#context = context
    this.#format = format
    this.#options = options
    this.#schema = schema
    Object.freeze(this)
  }

  /** The source by its name, such as `kinesis`, or one of your own. */
  format(format: string | SourceFormat): DataStreamReader {
    return new DataStreamReader(this.#context, format, this.#options, this.#schema)
  }

  /** An option of the source, by its name in any case; `docs/sources.md` lists them. */
  option(name: string, value: OptionValue): DataStreamReader {
    return this.options({ [name]: value })
  }

  options(values: Readonly<Record<string, OptionValue>>): DataStreamReader {
    const options = new Map([...this.#options, ...Object.entries(values)])
    return new DataStreamReader(this.#context, this.#format, options, this.#schema)
  }

  /**
   * Reads the payload as JSON with these fields, as typed columns beside those of the source. A payload that is no
   * JSON, or a field that does not fit its type, gives NULL; `data` keeps the bytes.
   */
  schema(fields: PayloadSchema): DataStreamReader {
    return new DataStreamReader(this.#context, this.#format, this.#options, fields)
  }

  /**
   * The stream as a DataFrame. Options are checked here; nothing is opened before a query starts.
   *
   * @throws FORMAT_UNKNOWN, OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, TYPE_UNKNOWN, COLUMN_CLASH
   */
  load(): DataFrame {
    const { clock, log, openers } = this.#context
    const format = typeof this.#format === 'string' ? sourceFormat(this.#format) : this.#format
    const source = { options: this.#options, clock, log }
    const input = Object.freeze({ description: format.describe(source), schema: format.schema(source) })
    openers.set(input, () => format.open(source))
    const fields = this.#schema
    if (!fields) return new DataFrame(this.#context, input)
    refuseClashes(fields, input.schema, input.description)
    return new DataFrame(this.#context, draftOver(input, withPayload(fields)))
  }
}

/** Every record parsed once; one that cannot be parsed gives NULLs and fails nothing. */
function withPayload(fields: PayloadSchema): string {
  const spec = literal(JSON.stringify(fields))
  const columns = Object.keys(fields).map((name) => `${quoted(PAYLOAD)}.${quoted(name)} AS ${quoted(name)}`)
  const parsed = `SELECT *, TRY(from_json(decode(data), ${spec})) AS ${quoted(PAYLOAD)} FROM ${INPUT}`
  return `SELECT * EXCLUDE (${quoted(PAYLOAD)}), ${columns.join(', ')} FROM (${parsed})`
}

function refuseClashes(fields: PayloadSchema, columns: Schema, source: string): void {
  for (const [column, type] of Object.entries(fields)) {
    parseDuckType(type)
    if (columns.some(({ name }) => name.toLowerCase() === column.toLowerCase())) {
      throw new SluiceError('COLUMN_CLASH', { column, source })
    }
  }
}
