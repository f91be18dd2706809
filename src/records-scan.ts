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
import { fillNulls, fillRead, fillVector } from './attach.ts'
import type { Schema } from './batch.ts'
import { type DuckType, parseDuckType } from './duck-type.ts'
import type { RowReader } from './row-reader.ts'

/** DuckDB's own vector size: a data chunk holds no more rows. */
const VECTOR_ROWS = 2048

/** The name by which SQL finds attached records: `FROM attached_records(7)`. */
export const ATTACHED_RECORDS = 'attached_records'

/** The same as lists of many rows: `FROM attached_lists(7)`, of columns for which `isBulk` holds, and of those of a reader. */
export const ATTACHED_LISTS = 'attached_lists'

/** Arrow record batches that a connection has under some name. */
export interface Attached {
  readonly id: number
  readonly schema: Schema
  /** Has columns of its own, behind those of the schema; only for lists. */
  readonly reader: RowReader | undefined
  /** Replaced by the next batch; a scan keeps those it began with. */
  records: readonly arrow.RecordBatch[]
}

interface Entry extends Attached {
  /** Of all columns, those of the reader as well. */
  readonly types: readonly DuckDBType[]
  readonly kinds: readonly DuckType[]
  /** The column that the reader reads. */
  readonly from: number
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

  /** @param types those of `schema` and of the reader's, column by column */
  add(schema: Schema, types: readonly DuckDBType[], reader?: RowReader): Attached {
    const kinds = schema.map(({ type }) => parseDuckType(type))
    const from = schema.findIndex(({ name }) => name === reader?.from)
    const entry: Entry = { id: ++this.#lastId, schema, types, kinds, reader, from, records: [] }
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
    for (const [index, { name }] of [...entry.schema, ...(entry.reader?.schema ?? [])].entries()) {
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
  const lists = new BigUint64Array(pieces.length * 2)
  for (const [index, { at, rows }] of pieces.entries()) lists.set([BigInt(at), BigInt(rows)], index * 2)
  const vectors = cursor.columns.map((_, index) => {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
    duckdb.list_vector_reserve(vector, items)
    duckdb.list_vector_set_size(vector, items)
    duckdb.copy_data_to_vector(vector, 0, lists.buffer, 0, lists.byteLength)
    return duckdb.list_vector_get_child(vector)
  })
  for (const piece of pieces) fillPiece(cursor, piece, vectors)
}

function fillPiece(
  { entry, columns }: Cursor,
  { batch, start, rows, at }: Piece,
  vectors: readonly duckdb.Vector[],
): void {
  const { schema, kinds, reader, from } = entry
  const isRead = reader?.read(columnOf(batch, from), start, rows)
  for (const [index, column] of columns.entries()) {
    const vector = vectors[index]!
    const made = column - schema.length
    if (!reader || made < 0) fillVector(vector, kinds[column]!, columnOf(batch, column), start, rows, at)
    else if (isRead) fillRead(vector, reader.column(made), rows, at)
    else if (made < reader.schema.length - 1) fillNulls(vector, rows, at)
    else fillVector(vector, kinds[from]!, columnOf(batch, from), start, rows, at)
  }
}

function nextPieces(cursor: Cursor): readonly Piece[] {
  const pieces: Piece[] = []
  let [at, bytes] = [0, 0]
  for (;;) {
    const batch = nextBatch(cursor)
    if (!batch || at >= CALL_ROWS || pieces.length === VECTOR_ROWS) return pieces
    const columns = columnsOf(cursor, batch)
    const isPlain = columns.every(({ offset }) => offset === 0)
    let rows = Math.min(batch.numRows - cursor.row, isPlain ? CALL_ROWS - at : VECTOR_ROWS)
    const { reader, from } = cursor.entry
    if (reader) rows = reader.fitting(columnOf(batch, from), cursor.row, rows)
    let size = bytesOf(columns, cursor.row, rows)
    for (; rows > VECTOR_ROWS && bytes + size > CALL_BYTES; size = bytesOf(columns, cursor.row, rows)) {
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

/** Columns of the records that rows are made of. */
function columnsOf({ entry, columns }: Cursor, batch: arrow.RecordBatch): readonly arrow.Data[] {
  const own = columns.filter((column) => column < entry.schema.length)
  if (entry.reader && !own.includes(entry.from)) own.push(entry.from)
  return own.map((column) => columnOf(batch, column))
}

/** Of text and bytes in consecutive rows. */
function bytesOf(columns: readonly arrow.Data[], start: number, rows: number): number {
  return columns.reduce((sum, { valueOffsets }) => {
    const offsets = valueOffsets as Int32Array | undefined
    return offsets?.length ? sum + offsets[start + rows]! - offsets[start]! : sum
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
