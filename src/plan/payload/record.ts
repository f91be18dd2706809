import type { DuckType } from '../../duck-type.ts'
import { quoted } from '../../duckdb.ts'
import type { PlainKind } from '../../json/plain-field.ts'

/** A field of the payload's schema. */
export interface PayloadField {
  readonly name: string
  readonly type: DuckType
}

/**
 * How a record becomes columns, as SQL. Each step adds one column to those before it, so nothing is parsed twice;
 * the first finds the record's text as `TEXT`, which is NULL where the bytes are no UTF-8.
 */
export interface RecordParser extends FieldValues {
  readonly steps: readonly Step[]
  /** What makes a whole record malformed, in order; the first that holds is the reason. */
  readonly checks: readonly Check[]
  /** Absent where `JsonReader` cannot read such records. */
  readonly reading?: Reading
}

export interface FieldValues {
  /** Values by field, over the steps; NULL where nothing came or what came does not fit. */
  readonly values: readonly { readonly field: PayloadField; readonly value: string }[]
  /** What makes a record malformed that has values: one check a field. `value` is SQL for the field's value. */
  misfit(field: PayloadField, value: string): string | undefined
}

/**
 * How records are read on their way to DuckDB. The column `readColumn` of a field is then NULL in records that were left;
 * in the others it is the field's value or, of tokens, what its value is still to be made of.
 */
export interface Reading {
  readonly fields: readonly ReadField[]
  /** In records that were read: the values that are still to be made. */
  readonly read: FieldValues
  /** In records that were left: all values; in those that were read: as `read`. */
  readonly rest: FieldValues
}

export interface ReadField {
  readonly name: string
  readonly as: PlainKind
  /** Whether a value is still to be made of what is read. */
  readonly isToken: boolean
}

export interface Step {
  readonly column: string
  readonly sql: string
  /** The same value in another way: faster, unless records are malformed. Absent: there is none. */
  readonly trusting?: string
}

export interface Check {
  readonly when: string
  readonly reason: string
}

// Names with a space: no source has such columns, and `*` above hides them.
/** The record as text. */
export const TEXT = '"payload text"'
/** The record cut into one text a field. */
export const TOKENS = '"payload tokens"'

/** What was read of a field, before DuckDB got to it. */
export const readName = (field: string): string => `read ${field}`
export const readColumn = (field: string): string => quoted(readName(field))
