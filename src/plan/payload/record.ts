import type { DuckType } from '../../duck-type.ts'
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
export interface RecordParser {
  readonly steps: readonly Step[]
  /** What makes a whole record malformed, in order; the first that holds is the reason. */
  readonly checks: readonly Check[]
  /** Values by field, over the steps; NULL where nothing came or what came does not fit. */
  readonly values: readonly { readonly field: PayloadField; readonly value: string }[]
  /** What makes a record malformed that has values: one check a field. `value` is SQL for the field's value. */
  misfit(field: PayloadField, value: string): string | undefined
  /**
   * How values are spelled in most records, by field: `JsonReader` gives the same values for such a record, and leaves the
   * others. Absent: it cannot.
   */
  readonly plain?: readonly PlainKind[]
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
