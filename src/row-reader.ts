import type { Data } from 'apache-arrow'
import type { Schema } from './batch.ts'

/**
 * Makes columns out of one that records stand in, while their rows are handed over to DuckDB.
 *
 * Invariant: what `column` gives is of the rows that were read last, and good until others are.
 */
export interface RowReader {
  /** The column that it reads, a BLOB. */
  readonly from: string
  /** The columns that it makes, of types without parts; the last has the records that it did not read, a BLOB. */
  readonly schema: Schema
  /** How many of `rows`, from `start` on, it can take at once; at least one. */
  fitting(column: Data, start: number, rows: number): number
  /** @returns false when none of the rows was read, and there are no columns */
  read(column: Data, start: number, rows: number): boolean
  /** @param index of the column in `schema` */
  column(index: number): ReadColumn
}

/** A column as DuckDB lays it out. */
export interface ReadColumn {
  /** Of every row, also where it is NULL. */
  readonly values: Uint8Array
  /** One bit a row, the lowest first; absent when no row is NULL. */
  readonly validity: Uint8Array | undefined
  /** Absent for a column that has no text. */
  readonly texts: ReadTexts | undefined
}

/** Texts whose `values` are structs, as `string-structs.ts` describes them. */
export interface ReadTexts {
  /** Those that are too long for a struct, one behind the other. Their structs tell where, in place of a pointer. */
  readonly heap: Uint8Array
  /** The structs as they are when the heap has been copied to an address, of which `low` are the lower 32 bits. */
  pointed(address: { readonly low: number; readonly high: number }): Uint8Array
}
