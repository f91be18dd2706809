import type { RecordBatch } from 'apache-arrow'
import type { Connection } from '../duckdb.ts'
import { JsonReader } from '../json/json-reader.ts'
import type { Parsing, PayloadStage, RestParsing } from '../plan/payload-stage.ts'

/** Where more than this share of a batch's records was left unread, reading them cost more than it saved. */
const MOST_UNREAD = 1 / 4
/** So many batches are then parsed without a reader, before it is tried again. */
const BATCHES_WITHOUT = 16

/**
 * Parses the records of one source, batch by batch. There are several ways, with the same rows for an answer; it takes the
 * one that is fastest if a batch is like the one before.
 */
export class PayloadParser {
  readonly #connection: Connection
  readonly #stage: PayloadStage
  readonly #reader: JsonReader | undefined
  /** Attaches others in the place of the records that are attached. */
  #attached: ((records: readonly RecordBatch[]) => Promise<void>) | undefined
  #batchesWithout = 0
  /** What the last batch had. */
  #hadUnread = false
  #hadMalformed = false
  /** Undefined while nobody has counted. */
  #malformed: number | undefined

  constructor(connection: Connection, stage: PayloadStage) {
    this.#connection = connection
    this.#stage = stage
    this.#reader = stage.rest && JsonReader.of(stage.rest.columns)
  }

  async parse(records: readonly RecordBatch[]): Promise<void> {
    const { whole, rest } = this.#stage
    this.#malformed = undefined
    if (this.#batchesWithout > 0) this.#batchesWithout--
    else if (rest && this.#reader) return this.#read(records, rest, this.#reader)
    await this.#attach(whole, records)
    await this.#run(whole)
  }

  async #read(records: readonly RecordBatch[], rest: RestParsing, reader: JsonReader): Promise<void> {
    const rows = records.reduce((sum, { numRows }) => sum + numRows, 0)
    const hasReadAll = () => reader.rows === rows && reader.unread === 0
    await this.#attach(rest, records, reader)
    if (!this.#hadUnread) {
      reader.restart()
      await this.#connection.run(rest.nothing)
    }
    this.#hadUnread ||= !hasReadAll()
    if (this.#hadUnread) {
      reader.restart()
      await this.#run(rest)
      this.#hadUnread = !hasReadAll()
    }
    if (!this.#hadUnread && !rest.mayMisfit) this.#malformed = 0
    if (reader.unread > rows * MOST_UNREAD) this.#batchesWithout = BATCHES_WITHOUT
  }

  /** How many of the records do not fit the schema. */
  async malformed(): Promise<number> {
    this.#malformed ??= Number(await this.#connection.value(this.#stage.countMalformed))
    this.#hadMalformed = this.#malformed > 0
    return this.#malformed
  }

  /** The records may go away after this. */
  async letGo(): Promise<void> {
    await this.#attached?.([])
  }

  #run({ careful, trusting }: Parsing): Promise<void> {
    return this.#connection.run(this.#hadMalformed ? careful : trusting)
  }

  #attach(parsing: Parsing, records: readonly RecordBatch[], reader?: JsonReader): Promise<void> {
    const { raw, rawColumns } = parsing
    this.#attached = (each) => this.#connection.attach(raw, this.#stage.rawSchema, each, rawColumns, reader)
    return this.#attached(records)
  }
}
