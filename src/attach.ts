import {
  blobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBValue,
  DuckDBVector,
  listValue,
  mapValue,
  structValue,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import * as arrow from 'apache-arrow'
import type { DuckType } from './duck-type.ts'
import type { ReadColumn } from './row-reader.ts'
import { writeStrings, writeTexts } from './string-structs.ts'

/** Bytes a value, where Arrow and DuckDB lay a type out alike. */
export const FIXED_WIDTH: Readonly<Record<string, number>> = {
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

/** Whether columns of a type are copied as a whole, not value by value. */
export function isBulk(kind: DuckType): boolean {
  return kind.kind === 'scalar' && (kind.name in FIXED_WIDTH || isBytes(kind))
}

const isBytes = (kind: DuckType) =>
  kind.kind === 'scalar' && (kind.name === 'VARCHAR' || kind.name === 'BLOB')

/**
 * Fills a vector with consecutive rows of an Arrow column of the same type.
 *
 * Fixed-width columns are copied buffer to buffer, text and bytes with `writeStrings`; nested types and decimals are
 * converted value by value.
 *
 * @param start the first row, a multiple of eight
 * @param at where it goes in the vector, a multiple of eight; other than 0 only for types that are copied as a whole
 */
export function fillVector(
  vector: duckdb.Vector,
  kind: DuckType,
  column: arrow.Data,
  start: number,
  rows: number,
  at = 0,
): void {
  const plain = column.offset === 0
  const width = kind.kind === 'scalar' ? FIXED_WIDTH[kind.name] : undefined
  if (plain && width !== undefined) {
    const { buffer, byteOffset } = column.values as Uint8Array
    const from = byteOffset + start * width
    duckdb.copy_data_to_vector(vector, at * width, buffer as ArrayBuffer, from, rows * width)
    copyNulls(vector, column, start, rows, at)
  } else if (plain && isBytes(kind)) {
    const bytes = column.values as Uint8Array
    const offsets = column.valueOffsets as Int32Array
    const isText = kind.kind === 'scalar' && kind.name === 'VARCHAR'
    if (!writeStrings(vector, bytes, offsets, start, rows, isText, at)) {
      for (let row = 0; row < rows; row++) {
        const value = bytes.subarray(offsets[start + row], offsets[start + row + 1])
        duckdb.vector_assign_string_element_len(vector, at + row, value)
      }
    }
    copyNulls(vector, column, start, rows, at)
  } else {
    const values = new arrow.Vector([column])
    const target = DuckDBVector.create(vector, rows)
    for (let row = 0; row < rows; row++) target.setItem(row, duckValue(kind, values.get(start + row)))
    target.flush()
  }
}

/**
 * Fills a vector with what a reader has read.
 *
 * @param at where the first row goes, a multiple of eight
 */
export function fillRead(
  vector: duckdb.Vector,
  { values, validity, texts }: ReadColumn,
  rows: number,
  at: number,
): void {
  if (texts) writeTexts(vector, values, texts, at)
  else {
    const { buffer, byteOffset, length } = values
    duckdb.copy_data_to_vector(vector, at * (length / rows), buffer as ArrayBuffer, byteOffset, length)
  }
  if (validity) copyValidity(vector, validity, 0, rows, at)
}

/** @param at where the first row goes, a multiple of eight */
export function fillNulls(vector: duckdb.Vector, rows: number, at: number): void {
  copyValidity(vector, new Uint8Array((rows + 7) >> 3), 0, rows, at)
}

function copyNulls(vector: duckdb.Vector, column: arrow.Data, start: number, rows: number, at: number): void {
  if (column.nullCount > 0) copyValidity(vector, column.nullBitmap as Uint8Array, start, rows, at)
}

/** Validity bits lie alike in Arrow and DuckDB. */
function copyValidity(
  vector: duckdb.Vector,
  { buffer, byteOffset }: Uint8Array,
  start: number,
  rows: number,
  at: number,
): void {
  duckdb.vector_ensure_validity_writable(vector)
  const from = byteOffset + (start >> 3)
  duckdb.copy_data_to_vector_validity(vector, at >> 3, buffer as ArrayBuffer, from, (rows + 7) >> 3)
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
