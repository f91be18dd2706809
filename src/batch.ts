import {
  Field as ArrowField,
  Schema as ArrowSchema,
  type Data,
  type DataType,
  makeData,
  RecordBatch,
  Struct,
} from 'apache-arrow'
import { arrowType } from './arrow.ts'

/** A column as DuckDB names it: `{ name: 'at', type: 'TIMESTAMP' }`. */
export interface Field {
  readonly name: string
  /** A DuckDB type, as `DESCRIBE` prints it. */
  readonly type: string
}

export type Schema = readonly Field[]

/** Anything that survives JSON unchanged; positions and offsets are made of it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What a source alone understands about how far it has read. Opaque to everybody else. */
export type Position = Json

/** From just after `start` up to and including `end`. */
export interface Range {
  readonly start: Position
  readonly end: Position
}

/**
 * The rows of one source in one micro-batch.
 *
 * Invariants: `range` names exactly these rows; `rows` is the sum over `records`; `digest` is a function of the
 * rows' contents and order alone, so a replay of `range` can prove that it is the same batch.
 */
export interface Batch {
  readonly range: Range
  readonly rows: number
  readonly records: readonly RecordBatch[]
  readonly digest: string
  /** Called at most once, when nobody looks at `records` any more: their memory may be used for others from then on. */
  release?(): void
}

/** Grows a BLOB or VARCHAR column out of raw bytes, without an object per value. */
export class BytesColumn {
  #bytes: Uint8Array
  #offsets: Int32Array
  #length = 0
  #nulls = new NullMask()

  constructor(expectedRows = 1024, expectedBytes = 64 * 1024) {
    this.#bytes = new Uint8Array(expectedBytes)
    this.#offsets = new Int32Array(expectedRows + 1)
  }

  get length(): number {
    return this.#length
  }

  /** Bytes held so far, for byte caps. */
  get byteLength(): number {
    return this.#offsets[this.#length] ?? 0
  }

  push(value: Uint8Array): void {
    const start = this.byteLength
    this.#reserve(start + value.length)
    this.#bytes.set(value, start)
    this.#finish(start + value.length)
  }

  pushText(value: string): void {
    const start = this.byteLength
    // UTF-8 takes at most three bytes a UTF-16 unit.
    this.#reserve(start + value.length * 3)
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(start))
    this.#finish(start + written)
  }

  pushNull(): void {
    this.#nulls.add(this.#length)
    this.#finish(this.byteLength)
  }

  /** The column as Arrow data; `type` says whether the bytes are text. */
  finish(type: DataType): Data {
    return makeData({
      type,
      length: this.#length,
      nullCount: this.#nulls.count,
      nullBitmap: this.#nulls.bitmap(this.#length),
      valueOffsets: this.#offsets.subarray(0, this.#length + 1),
      data: this.#bytes.subarray(0, this.byteLength),
    } as never)
  }

  #finish(end: number): void {
    if (this.#length + 2 > this.#offsets.length) this.#offsets = grown(this.#offsets, this.#length + 2)
    this.#length++
    this.#offsets[this.#length] = end
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length) this.#bytes = grown(this.#bytes, bytes)
  }
}

/** Grows a BIGINT or TIMESTAMP column; timestamps are given in milliseconds and kept in microseconds. */
export class Int64Column {
  #values: BigInt64Array
  #length = 0
  #nulls = new NullMask()

  constructor(expectedRows = 1024) {
    this.#values = new BigInt64Array(expectedRows)
  }

  push(value: bigint): void {
    if (this.#length === this.#values.length) this.#values = grown(this.#values, this.#length + 1)
    this.#values[this.#length++] = value
  }

  pushMillis(ms: number): void {
    this.push(BigInt(Math.round(ms)) * 1000n)
  }

  pushNull(): void {
    this.#nulls.add(this.#length)
    this.push(0n)
  }

  finish(type: DataType): Data {
    return makeData({
      type,
      length: this.#length,
      nullCount: this.#nulls.count,
      nullBitmap: this.#nulls.bitmap(this.#length),
      data: this.#values.subarray(0, this.#length),
    } as never)
  }
}

/** One Arrow record batch of `schema` out of finished columns, all of the same length. */
export function recordBatch(schema: Schema, columns: readonly Data[]): RecordBatch {
  const fields = schema.map((field) => new ArrowField(field.name, arrowType(field.type), true))
  const length = columns[0]?.length ?? 0
  const data = makeData({ type: new Struct(fields), length, nullCount: 0, children: [...columns] })
  return new RecordBatch(new ArrowSchema(fields), data)
}

class NullMask {
  #rows: number[] = []

  get count(): number {
    return this.#rows.length
  }

  add(row: number): void {
    this.#rows.push(row)
  }

  /** Arrow's validity bits, least significant first; undefined when nothing is null. */
  bitmap(length: number): Uint8Array | undefined {
    if (this.#rows.length === 0) return undefined
    const bits = new Uint8Array(Math.ceil(length / 8)).fill(0xff)
    for (const row of this.#rows) bits[row >> 3]! &= ~(1 << (row & 7))
    return bits
  }
}

const encoder = new TextEncoder()

function grown<T extends Uint8Array | Int32Array | BigInt64Array>(array: T, least: number): T {
  const bigger = new (array.constructor as new (length: number) => T)(Math.max(least, array.length * 2))
  bigger.set(array as never)
  return bigger
}
