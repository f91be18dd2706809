import {
  BIGINT,
  type DuckDBDataChunk,
  DuckDBListType,
  DuckDBTableFunction,
  type DuckDBTableFunctionBindInfo,
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

/** The same as lists of many rows: `FROM attached_lists(7)`, of columns for which `isBulk` holds. */
export const ATTACHED_LISTS = 'attached_lists'

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

  /** To be registered once, by any connection of the database; the functions are known to all of them. */
  readonly tableFunctions = [
    DuckDBTableFunction.create({
      name: ATTACHED_RECORDS,
      parameterTypes: [BIGINT],
      supportsProjectionPushdown: true,
      bindFunction: (info) => this.#bind(info, (type) => type),
      initFunction: (info) => this.#begin(info),
      mainFunction: (info, chunk) => nextRows(info.initData as Cursor, chunk),
    }),
    DuckDBTableFunction.create({
      name: ATTACHED_LISTS,
      parameterTypes: [BIGINT],
      supportsProjectionPushdown: true,
      bindFunction: (info) => this.#bind(info, (type) => new DuckDBListType(type)),
      initFunction: (info) => this.#begin(info),
      mainFunction: (info, chunk) => nextLists(info.initData as Cursor, chunk),
    }),
  ]

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

  #bind(info: DuckDBTableFunctionBindInfo, typeOf: (type: DuckDBType) => DuckDBType): void {
    const id = Number(info.getParameter(0))
    const entry = this.#entries.get(id)
    if (!entry) {
      info.setError(`no records are attached as ${id}`)
      return
    }
    for (const [index, { name }] of entry.schema.entries()) {
      info.addResultColumn(name, typeOf(entry.types[index]!))
    }
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
}

function nextRows(cursor: Cursor, chunk: DuckDBDataChunk): void {
  const batch = nextBatch(cursor)
  const rows = batch ? Math.min(VECTOR_ROWS, batch.numRows - cursor.row) : 0
  chunk.rowCount = rows
  if (!batch) return
  for (const [index, column] of cursor.columns.entries()) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
    fillVector(vector, cursor.entry.kinds[column]!, columnOf(batch, column), cursor.row, rows)
  }
  cursor.row += rows
}

/** Consecutive rows of a record batch, to become one list. */
interface Piece {
  readonly batch: arrow.RecordBatch
  readonly start: number
  readonly rows: number
  /** Where they begin among the items of all lists of the chunk. */
  readonly at: number
}

/** Rows and bytes that one call hands over at most, but for a vector's worth of rows, which may be of any size. */
const CALL_ROWS = 32_768
const CALL_BYTES = 8 * 1024 * 1024

/** Lists begin at items that are a multiple of it, so that their validity bits can be copied as whole words. */
const ALIGNMENT = 64

/** One row a list. Between the lists items may be left out. */
function nextLists(cursor: Cursor, chunk: DuckDBDataChunk): void {
  const pieces = nextPieces(cursor)
  chunk.rowCount = pieces.length
  const last = pieces.at(-1)
  if (!last) return
  const items = last.at + last.rows
  const entries = new BigUint64Array(pieces.length * 2)
  for (const [index, { at, rows }] of pieces.entries()) entries.set([BigInt(at), BigInt(rows)], index * 2)
  for (const [index, column] of cursor.columns.entries()) {
    const lists = duckdb.data_chunk_get_vector(chunk.chunk, index)
    duckdb.list_vector_reserve(lists, items)
    duckdb.list_vector_set_size(lists, items)
    duckdb.copy_data_to_vector(lists, 0, entries.buffer, 0, entries.byteLength)
    const vector = duckdb.list_vector_get_child(lists)
    for (const { batch, start, rows, at } of pieces) {
      fillVector(vector, cursor.entry.kinds[column]!, columnOf(batch, column), start, rows, at)
    }
  }
}

function nextPieces(cursor: Cursor): readonly Piece[] {
  const pieces: Piece[] = []
  let [at, bytes] = [0, 0]
  for (;;) {
    const batch = nextBatch(cursor)
    if (!batch || at >= CALL_ROWS || pieces.length === VECTOR_ROWS) return pieces
    const isPlain = cursor.columns.every((column) => columnOf(batch, column).offset === 0)
    let rows = Math.min(batch.numRows - cursor.row, isPlain ? CALL_ROWS - at : VECTOR_ROWS)
    let size = bytesOf(cursor, batch, rows)
    for (; rows > VECTOR_ROWS && bytes + size > CALL_BYTES; size = bytesOf(cursor, batch, rows)) {
      rows = Math.max(VECTOR_ROWS, (rows >> 4) << 3)
    }
    // Values of what is not plain are written one by one, from the first item on.
    if (pieces.length > 0 && (!isPlain || bytes + size > CALL_BYTES)) return pieces
    pieces.push({ batch, start: cursor.row, rows, at })
    cursor.row += rows
    bytes += size
    at += Math.ceil(rows / ALIGNMENT) * ALIGNMENT
    if (!isPlain) return pieces
  }
}

/** Of text and bytes in the next rows. */
function bytesOf({ columns, row }: Cursor, batch: arrow.RecordBatch, rows: number): number {
  return columns.reduce((sum, column) => {
    const offsets = columnOf(batch, column).valueOffsets as Int32Array | undefined
    return offsets?.length ? sum + offsets[row + rows]! - offsets[row]! : sum
  }, 0)
}

function columnOf(batch: arrow.RecordBatch, column: number): arrow.Data {
  return batch.data.children[column] as arrow.Data
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
