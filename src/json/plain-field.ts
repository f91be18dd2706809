/** How a field of a record is spelled where nothing about it is unusual, and what DuckDB keeps of it. */
export type PlainKind =
  /** A string. */
  | { readonly kind: 'text' }
  /** Any value, kept as it stands. */
  | { readonly kind: 'json' }
  | { readonly kind: 'boolean' }
  /** A whole number. */
  | { readonly kind: 'integer'; readonly bytes: 1 | 2 | 4 | 8; readonly isSigned: boolean }
  /** A number. */
  | { readonly kind: 'double' }
  /** A number of no more than `width` digits, `scale` of them behind the point. */
  | { readonly kind: 'decimal'; readonly bytes: 2 | 4 | 8; readonly width: number; readonly scale: number }
  /** ISO 8601 in a string; kept as days. */
  | { readonly kind: 'date' }
  /** ISO 8601 in a string; kept as microseconds. */
  | { readonly kind: 'timestamp' }
  /** A whole number of units since the epoch, from `least` to `greatest`; kept as microseconds. */
  | {
      readonly kind: 'epoch'
      readonly microsPerUnit: number
      readonly least: number
      readonly greatest: number
    }

export interface PlainField {
  readonly name: string
  readonly as: PlainKind
  /** Whether somebody wants the values; they have to fit in any case. */
  readonly isKept: boolean
}

/** A bit each says which of them were met. */
export const MOST_FIELDS = 30

/** Of a text in a vector of DuckDB. */
export const STRUCT_BYTES = 16

/** Bytes that a value takes in a vector of DuckDB. */
export function bytesOf(as: PlainKind): number {
  if ('bytes' in as) return as.bytes
  switch (as.kind) {
    case 'text':
    case 'json':
      return STRUCT_BYTES
    case 'boolean':
      return 1
    case 'date':
      return 4
    default:
      return 8
  }
}
