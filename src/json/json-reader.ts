import { isUtf8 } from 'node:buffer'
import type * as arrow from 'apache-arrow'
import type { Schema } from '../batch.ts'
import type { ReadColumn, RowReader } from '../row-reader.ts'
import { type Compiled, compile, instantiate } from '../wasm/engine.ts'
import {
  type ColumnPlace,
  type Layout,
  layoutOf,
  MARGIN,
  MOST_BYTES,
  MOST_POWER,
  MOST_ROWS,
} from './layout.ts'
import { type PlainField, STRUCT_BYTES } from './plain-field.ts'
import { heapName, type ReadExports, readProgram } from './read-program.ts'

/** Rows that are read together are so many, so that validity bits of the next begin with a word. */
const ALIGNMENT = 64

/** Columns of a JSON object, as DuckDB knows them. */
export interface JsonColumns {
  /** The column that records stand in, a BLOB. */
  readonly from: string
  readonly fields: readonly PlainField[]
  /** A column for each field that is kept, in that order, and a BLOB for records that were not read. */
  readonly schema: Schema
}

/**
 * Reads records that are JSON objects with nothing unusual about them into vectors of DuckDB, in a seventh of the time that
 * DuckDB takes; it hands over what is left as it stands.
 *
 * A program of WebAssembly does it, which is made for the fields, in a memory of its own: records go in, columns come
 * out. A fault in it cannot reach anything else, but for what it says of where long texts lie: that is kept to the heap
 * which was copied with them.
 */
export class JsonReader implements RowReader {
  readonly schema: Schema
  readonly from: string
  /** Rows that were read or left since the last `restart`. */
  rows = 0
  /** Of these, how many were left. */
  unread = 0

  readonly #layout: Layout
  readonly #program: ReadExports
  readonly #memory: Buffer
  readonly #offsets: Int32Array
  /** In the order of `schema`. */
  readonly #columns: readonly PlacedColumn[]
  /** Rows that were read last. */
  #read = 0

  /** @returns undefined where there is no WebAssembly, or no room for it */
  static of(columns: JsonColumns): JsonReader | undefined {
    const layout = layoutOf(columns.fields)
    const program = readProgram(columns.fields, layout)
    try {
      return new JsonReader(columns, layout, compile(program))
    } catch {
      return undefined
    }
  }

  private constructor({ schema, from }: JsonColumns, layout: Layout, program: Compiled) {
    const { buffer, exports } = instantiate(program, layout.bytes)
    this.schema = schema
    this.from = from
    this.#layout = layout
    this.#program = exports as ReadExports
    this.#memory = Buffer.from(buffer)
    this.#offsets = new Int32Array(buffer, layout.offsets, MOST_ROWS + 1)
    const globals = exports as Readonly<Record<string, { readonly value: number }>>
    this.#columns = [...layout.columns, layout.unread].flatMap((place, field) =>
      place ? [{ place, field, heapBytes: () => globals[heapName(field)]!.value }] : [],
    )
    const powers = new Float64Array(buffer, layout.powersOfTen, MOST_POWER + 1)
    for (const power of powers.keys()) powers[power] = 10 ** power
  }

  restart(): void {
    this.rows = 0
    this.unread = 0
  }

  fitting(column: arrow.Data, start: number, rows: number): number {
    if (!isWhole(column)) return rows
    const offsets = column.valueOffsets as Int32Array
    const most = Math.min(rows, MOST_ROWS)
    if (bytesOf(offsets, start, most) <= MOST_BYTES) return most
    let [from, to] = [0, most]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      if (bytesOf(offsets, start, middle) <= MOST_BYTES) from = middle
      else to = middle
    }
    // One that is larger than all there is room for is not read.
    return Math.max(1, from >= ALIGNMENT ? from - (from % ALIGNMENT) : from)
  }

  read(column: arrow.Data, start: number, rows: number): boolean {
    const unread = this.#readPlain(column, start, rows)
    this.#read = rows
    this.rows += rows
    this.unread += unread ?? rows
    return unread !== undefined
  }

  /** @returns undefined when none of the rows was read */
  #readPlain(column: arrow.Data, start: number, rows: number): number | undefined {
    if (!isWhole(column)) return undefined
    const offsets = (column.valueOffsets as Int32Array).subarray(start, start + rows + 1)
    const from = offsets[0] as number
    const bytes = (column.values as Uint8Array).subarray(from, offsets[rows])
    if (bytes.length > MOST_BYTES) return undefined
    const { records } = this.#layout
    this.#memory.set(bytes, records)
    // Ends what the last record may have left open.
    this.#memory.fill(0, records + bytes.length, records + bytes.length + MARGIN)
    for (let row = 0; row <= rows; row++) this.#offsets[row] = (offsets[row] as number) - from
    const unread = this.#program.read(rows)
    // A plain record begins and ends with ASCII, so that it is UTF-8 if all of them together are.
    return this.#program.isWide.value === 0 || isUtf8(bytes) ? unread : undefined
  }

  column(index: number): ReadColumn {
    const { place, field, heapBytes } = this.#columns[index]!
    const { values, width, validity, heap } = place
    const rows = this.#read
    const bytes = (from: number, length: number) => this.#memory.subarray(from, from + length)
    const isUnread = index === this.#columns.length - 1
    const hasNulls = isUnread || (this.#program.nulls.value & (1 << field)) !== 0
    const { structs } = this.#layout
    return {
      values: bytes(values, rows * width),
      validity: hasNulls ? bytes(validity, (rows + 7) >> 3) : undefined,
      texts:
        heap === undefined
          ? undefined
          : {
              heap: bytes(heap, heapBytes()),
              pointed: ({ low, high }) => {
                this.#program.point(values, rows, structs, low, high)
                return bytes(structs, rows * STRUCT_BYTES)
              },
            },
    }
  }
}

interface PlacedColumn {
  readonly place: ColumnPlace
  /** Its index among the fields. */
  readonly field: number
  readonly heapBytes: () => number
}

/** Whether the values of a column lie as they do in most: one behind the other, and none is NULL. */
function isWhole({ offset, nullCount }: arrow.Data): boolean {
  return offset === 0 && nullCount === 0
}

function bytesOf(offsets: Int32Array, start: number, rows: number): number {
  return (offsets[start + rows] as number) - (offsets[start] as number)
}
