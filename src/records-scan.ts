import {
  BIGINT,
  type DuckDBDataChunk,
  DuckDBTableFunction,
  type DuckDBTableFunctionBindInfo,
  type DuckDBTableFunctionInfo,
  type DuckDBTableFunctionInitInfo,
  type DuckDBType,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import type * as arrow from 'apache-arrow'
import { fillVector } from './attach.ts'
import type { Schema } from './batch.ts'
import { type DuckType, parseDuckType } from './duck-type.ts'

/** DuckDB's own vector size: a data chunk holds no more rows. */
const VECTOR_ROWS = 2048

/** The name by which SQL finds attached records: `FROM attached_records(7)`. */
export const ATTACHED_RECORDS = 'attached_records'

/** Arrow record batches that a connection has under some name. */
export interface Attached {
  readonly id: number
  readonly schema: Schema
  /** Replaced by the next batch; a scan keeps those it began with. */
  records: readonly arrow.RecordBatch[]
}

interface Entry extends Attached {
  readonly types: readonly DuckDBType[]
  readonly kinds: readonly DuckType[]
}

/** Where a scan stands. */
interface Cursor {
  readonly entry: Entry
  readonly records: readonly arrow.RecordBatch[]
  /** Columns of the records that the query uses, in the order of its chunk. */
  readonly columns: readonly number[]
  batch: number
  row: number
}

/**
 * Lets SQL read Arrow record batches where they lie, as a table function of one database.
 *
 * DuckDB's Node client has no Arrow door, so rows travel in data chunks of 2,048; but only the columns that a query
 * uses do, and nothing is stored. A scan runs on the JavaScript thread, called from DuckDB's: no query over attached
 * records may be waited for synchronously.
 */
export class RecordsScan {
  readonly #entries = new Map<number, Entry>()
  #lastId = 0

  /** To be registered once, by any connection of the database; the function is known to all of them. */
  readonly tableFunction = DuckDBTableFunction.create({
    name: ATTACHED_RECORDS,
    parameterTypes: [BIGINT],
    supportsProjectionPushdown: true,
    bindFunction: (info) => this.#bind(info),
    initFunction: (info) => this.#begin(info),
    mainFunction: (info, chunk) => this.#next(info, chunk),
  })

  /** @param types those of `schema`, column by column */
  add(schema: Schema, types: readonly DuckDBType[]): Attached {
    const kinds = schema.map(({ type }) => parseDuckType(type))
    const entry: Entry = { id: ++this.#lastId, schema, types, kinds, records: [] }
    this.#entries.set(entry.id, entry)
    return entry
  }

  remove({ id }: Attached): void {
    this.#entries.delete(id)
  }

  #bind(info: DuckDBTableFunctionBindInfo): void {
    const id = Number(info.getParameter(0))
    const entry = this.#entries.get(id)
    if (!entry) {
      info.setError(`no records are attached as ${id}`)
      return
    }
    for (const [index, { name }] of entry.schema.entries()) info.addResultColumn(name, entry.types[index]!)
    // For the choice of a join's sides; the next batch may have more.
    const rows = entry.records.reduce((sum, each) => sum + each.numRows, 0)
    info.setCardinality(rows, false)
    info.setBindData(entry)
  }

  #begin(info: DuckDBTableFunctionInitInfo): void {
    const entry = info.bindData as Entry
    const columns = info.getColumnIndexes()
    info.setInitData({ entry, records: entry.records, columns, batch: 0, row: 0 } satisfies Cursor)
  }

  #next(info: DuckDBTableFunctionInfo, chunk: DuckDBDataChunk): void {
    const cursor = info.initData as Cursor
    const batch = nextBatch(cursor)
    const rows = batch ? Math.min(VECTOR_ROWS, batch.numRows - cursor.row) : 0
    chunk.rowCount = rows
    if (!batch) return
    for (const [index, column] of cursor.columns.entries()) {
      const data = batch.data.children[column] as arrow.Data
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
      fillVector(vector, cursor.entry.kinds[column]!, data, cursor.row, rows)
    }
    cursor.row += rows
  }
}

/** The batch with the next row of a scan; undefined at the end. A chunk without rows would end the scan. */
function nextBatch(cursor: Cursor): arrow.RecordBatch | undefined {
  for (;;) {
    const batch = cursor.records[cursor.batch]
    if (!batch || cursor.row < batch.numRows) return batch
    cursor.batch++
    cursor.row = 0
  }
}
