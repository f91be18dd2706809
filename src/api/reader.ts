import type { Schema } from '../batch.ts'
import { parseDuckType, typeText } from '../duck-type.ts'
import { SluiceError } from '../errors.ts'
import type { GivenOptions, OptionValue } from '../options.ts'
import { type Payload, type PayloadSchema, parsePayload, splitPayloadOptions } from '../plan/payload.ts'
import { payloadSchema } from '../plan/payload-stage.ts'
import { parseSchemaText } from '../plan/schema-text.ts'
import type { SourceFormat } from '../sources/source.ts'
import { DataFrame } from './dataframe.ts'
import type { SessionContext } from './session-context.ts'

export type { PayloadSchema }

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

  /** An option of the source or of the payload, by its name in any case; `docs/sources.md` lists them. */
  option(name: string, value: OptionValue): DataStreamReader {
    return this.options({ [name]: value })
  }

  options(values: Readonly<Record<string, OptionValue>>): DataStreamReader {
    const options = new Map([...this.#options, ...Object.entries(values)])
    return new DataStreamReader(this.#context, this.#format, options, this.#schema)
  }

  /**
   * Of files, their columns. Of other sources, parses every record into these fields, as typed columns beside those of the source; `data` keeps the bytes. Types
   * are DuckDB's or Spark's; `'userId BIGINT, tags ARRAY<STRING>'` says the same in one text. The options
   * `payloadFormat` and `mode` say what a record is and what becomes of one that does not fit; `docs/sources.md`.
   *
   * @throws TYPE_UNKNOWN when a text is no schema
   */
  schema(fields: PayloadSchema | string): DataStreamReader {
    const schema = typeof fields === 'string' ? parseSchemaText(fields) : fields
    return new DataStreamReader(this.#context, this.#format, this.#options, schema)
  }

  /**
   * The stream as a DataFrame. Options are checked here; nothing is opened before a query starts.
   *
   * @throws FORMAT_UNKNOWN, OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, TYPE_UNKNOWN, COLUMN_CLASH, PAYLOAD_SCHEMA
   */
  load(): DataFrame {
    return this.#load('rows')
  }

  /**
   * The records that do not fit the schema, as a stream of its own: the columns of the source and `reason`, whatever
   * the mode. A query over it reads the source again; the option `badRecordsPath` keeps them without that.
   *
   * @throws as `load`
   */
  badRecords(): DataFrame {
    return this.#load('malformed')
  }

  #load(part: Payload['part']): DataFrame {
    const { clock, log, openers, sources } = this.#context
    const format = typeof this.#format === 'string' ? sources.get(this.#format) : this.#format
    const { takesColumns } = format
    const options = takesColumns
      ? { source: this.#options, payload: new Map() }
      : splitPayloadOptions(this.#options)
    const declared = takesColumns && this.#schema ? columnsOf(this.#schema) : undefined
    const source = { options: options.source, columns: declared, clock, log }
    const description = format.describe(source)
    const columns = format.schema(source)
    const fields = takesColumns ? undefined : this.#schema
    const parsed = parsePayload(fields, options.payload, columns, description)
    if (part === 'malformed' && !parsed) {
      const reason = 'there is none, so no record can fail to fit it'
      throw new SluiceError('PAYLOAD_SCHEMA', { source: description, reason })
    }
    const payload = parsed && { ...parsed, part }
    const input = Object.freeze({
      description,
      schema: payload ? payloadSchema(payload) : columns,
      payload,
    })
    openers.set(input, () => format.open(source))
    return new DataFrame(this.#context, input)
  }
}

function columnsOf(schema: PayloadSchema): Schema {
  return Object.entries(schema).map(([name, type]) => ({ name, type: typeText(parseDuckType(type)) }))
}
