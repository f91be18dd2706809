import { bytesOf, type PlainField, STRUCT_BYTES } from './plain-field.ts'

/** Rows and bytes of records that are read at once: what is read into should not fall out of the processor's cache. */
export const MOST_ROWS = 4096
export const MOST_BYTES = 1024 * 1024

/** Behind whatever is looked at or written to in steps of 16 bytes; and where everything begins. */
export const MARGIN = 64

/** Of powers of ten that are doubles exactly. */
export const MOST_POWER = 22

/** Where a column lies. */
export interface ColumnPlace {
  readonly values: number
  /** Bytes a value. */
  readonly width: number
  /** One bit a row, the lowest first. */
  readonly validity: number
  /** Of texts that are too long for their structs; absent where there are none. */
  readonly heap: number | undefined
}

/** Where everything lies in the memory of a program that reads records. */
export interface Layout {
  /** 64 bits each. */
  readonly powersOfTen: number
  /** 32 bits a row, and as many more: where a record begins among `records`, and the last one ends. */
  readonly offsets: number
  readonly records: number
  /** Of each field that is kept. */
  readonly columns: readonly (ColumnPlace | undefined)[]
  /** Of records that are not read, as they stand. */
  readonly unread: ColumnPlace
  /** Of one text that was written with escapes. */
  readonly unescaped: number
  /** Of one column, on the way to a vector. */
  readonly structs: number
  readonly bytes: number
}

export function layoutOf(fields: readonly PlainField[]): Layout {
  let end = MARGIN
  const take = (bytes: number): number => {
    const start = end
    end += Math.ceil((bytes + MARGIN) / MARGIN) * MARGIN
    return start
  }
  const column = (width: number): ColumnPlace => ({
    values: take(MOST_ROWS * width),
    width,
    validity: take(MOST_ROWS / 8),
    heap: width === STRUCT_BYTES ? take(MOST_BYTES) : undefined,
  })
  const powersOfTen = take((MOST_POWER + 1) * 8)
  const offsets = take((MOST_ROWS + 1) * 4)
  const records = take(MOST_BYTES)
  const columns = fields.map(({ as, isKept }) => (isKept ? column(bytesOf(as)) : undefined))
  const unread = column(STRUCT_BYTES)
  const unescaped = take(MOST_BYTES)
  const structs = take(MOST_ROWS * STRUCT_BYTES)
  return { powersOfTen, offsets, records, columns, unread, unescaped, structs, bytes: end }
}
