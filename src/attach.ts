import {
  blobValue,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
  listValue,
  mapValue,
  structValue,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import type * as arrow from 'apache-arrow'
import { type DuckType, parseDuckType } from './duck-type.ts'

/** DuckDB's own vector size: a data chunk holds no more rows. */
const VECTOR_ROWS = 2048

/** Bytes a value, where Arrow and DuckDB lay a type out alike. */
const FIXED_WIDTH: Readonly<Record<string, number>> = {
  TINYINT: 1,
  SMALLINT: 2,
  INTEGER: 4,
  BIGINT: 8,
  UTINYINT: 1,
  USMALLINT: 2,
  UINTEGER: 4,
  UBIGINT: 8,
  HUGEINT: 16,
  FLOAT: 4,
  DOUBLE: 8,
  DATE: 4,
  TIME: 8,
  TIMESTAMP: 8,
  'TIMESTAMP WITH TIME ZONE': 8,
}

/**
 * Copies Arrow record batches into a DuckDB temporary table whose columns have the same order and types.
 *
 * DuckDB's Node client has no Arrow door, so rows travel in data chunks of 2,048. Fixed-width columns are copied
 * buffer to buffer; text and bytes cost one call a value; nested types and decimals are converted value by value.
 */
export async function appendRecords(
  connection: DuckDBConnection,
  table: string,
  types: readonly DuckDBType[],
  records: readonly arrow.RecordBatch[],
): Promise<void> {
  const kinds = types.map((type) => parseDuckType(type.toString()))
  const appender = await connection.createAppender(table, 'main', 'temp')
  try {
    for (const record of records) {
      const columns = kinds.map((_, column) => record.getChildAt(column) as arrow.Vector)
      for (let start = 0; start < record.numRows; start += VECTOR_ROWS) {
        const rows = Math.min(VECTOR_ROWS, record.numRows - start)
        const chunk = DuckDBDataChunk.create(types, rows)
        for (const [index, kind] of kinds.entries()) fill(chunk, index, kind, columns[index]!, start, rows)
        appender.appendDataChunk(chunk)
      }
    }
  } finally {
    appender.closeSync()
  }
}

function fill(
  chunk: DuckDBDataChunk,
  index: number,
  kind: DuckType,
  column: arrow.Vector,
  start: number,
  rows: number,
): void {
  const data = column.data[0] as arrow.Data
  const plain = column.data.length === 1 && data.offset === 0
  const width = kind.kind === 'scalar' ? FIXED_WIDTH[kind.name] : undefined
  const isBytes = kind.kind === 'scalar' && (kind.name === 'VARCHAR' || kind.name === 'BLOB')
  if (plain && width !== undefined) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
    const { buffer, byteOffset } = data.values as Uint8Array
    const from = byteOffset + start * width
    duckdb.copy_data_to_vector(vector, 0, buffer as ArrayBuffer, from, rows * width)
    copyNulls(vector, column, start, rows)
  } else if (plain && isBytes) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
    copyNulls(vector, column, start, rows)
    const bytes = data.values as Uint8Array
    const offsets = data.valueOffsets as Int32Array
    for (let row = 0; row < rows; row++) {
      const value = bytes.subarray(offsets[start + row], offsets[start + row + 1])
      duckdb.vector_assign_string_element_len(vector, row, value)
    }
  } else {
    const values = Array.from({ length: rows }, (_, row) => duckValue(kind, column.get(start + row)))
    chunk.setColumnValues(index, values)
  }
}

function copyNulls(vector: duckdb.Vector, column: arrow.Vector, start: number, rows: number): void {
  if (column.nullCount === 0) return
  const bits = new Uint8Array(VECTOR_ROWS / 8).fill(0xff)
  for (let row = 0; row < rows; row++) {
    if (!column.isValid(start + row)) bits[row >> 3]! &= ~(1 << (row & 7))
  }
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.length)
}

/** What `arrow.Vector.get` gives for a value of `type`, as the object DuckDB's client takes. */
function duckValue(type: DuckType, value: unknown): DuckDBValue {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'decimal':
      return new DuckDBDecimalValue(int128(value as Uint32Array), type.width, type.scale)
    case 'list':
    case 'array':
      return listValue([...(value as Iterable<unknown>)].map((item) => duckValue(type.child, item)))
    case 'struct': {
      const entries = type.fields.map((field) => [
        field.name,
        duckValue(field.type, (value as Record<string, unknown>)[field.name]),
      ])
      return structValue(Object.fromEntries(entries) as Record<string, DuckDBValue>)
    }
    case 'map':
      return mapValue(
        [...(value as Iterable<[unknown, unknown]>)].map(([key, item]) => ({
          key: duckValue(type.key, key),
          value: duckValue(type.value, item),
        })),
      )
    case 'scalar':
      return scalarValue(type.name, value)
  }
}

/** Arrow's readers give times in milliseconds, with the microseconds as a fraction. */
function scalarValue(name: string, value: unknown): DuckDBValue {
  const micros = () => BigInt(Math.round((value as number) * 1000))
  switch (name) {
    case 'TIMESTAMP':
      return new DuckDBTimestampValue(micros())
    case 'TIMESTAMP WITH TIME ZONE':
      return new DuckDBTimestampTZValue(micros())
    case 'DATE':
      return new DuckDBDateValue(Math.floor((value as number) / 86_400_000))
    case 'TIME':
      return new DuckDBTimeValue(value as bigint)
    case 'HUGEINT':
      return int128(value as Uint32Array)
    case 'BLOB':
      return blobValue(value as Uint8Array)
    default:
      return value as DuckDBValue
  }
}

function int128(words: Uint32Array): bigint {
  const unsigned = words.reduceRight((number, word) => (number << 32n) | BigInt(word), 0n)
  return BigInt.asIntN(128, unsigned)
}
