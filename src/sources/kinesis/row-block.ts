import type { LentBody } from './lent-body.ts'
import type { Row } from './rows.ts'

/** Values one behind the other: value `i` is `bytes[offsets[i] .. offsets[i + 1]]`. */
export interface ByteColumn {
  readonly bytes: Uint8Array
  readonly offsets: Int32Array
}

/** Rows of one shard by column, in order. All that come from one stored record are here, up to its last. */
export interface RowColumns {
  readonly length: number
  readonly data: ByteColumn
  /** UTF-8; empty for a row without a key. */
  readonly partitionKeys: ByteColumn
  /** 1 for a row without a key; absent when all have one. */
  readonly keyless: Uint8Array | undefined
  readonly sequenceNumbers: ByteColumn
  /** NaN where unknown. */
  readonly arrivedMs: Float64Array
  /** The same in microseconds, where somebody has made them and all are known. */
  readonly arrivedMicros: BigInt64Array | undefined
  /** Index within the aggregate, -1 for a record that is none; absent when none is. */
  readonly subSequenceNumbers: Int32Array | undefined
  /** Of the data and the keys, where they lie in the body of an answer. */
  readonly body: LentBody | undefined
}

/** What a row takes beside its data and its key, for byte caps: how its answer spells it, and its other columns. */
const ROW_OVERHEAD_BYTES = 224

/** Consecutive rows of one shard, as a range of shared columns: taking a part of it copies nothing. */
export class RowBlock {
  readonly columns: RowColumns
  /** The first row, as an index of the columns; `to` is behind the last. */
  readonly from: number
  readonly to: number

  constructor(columns: RowColumns, from = 0, to = columns.length) {
    this.columns = columns
    this.from = from
    this.to = to
  }

  static of(rows: readonly Row[]): RowBlock {
    return new RowBlock(columnsOf(rows))
  }

  /** Blocks one behind the other, of whatever shards; a single one is left as it is. */
  static join(blocks: readonly RowBlock[]): RowBlock {
    return blocks.length === 1 ? (blocks[0] as RowBlock) : new RowBlock(joined(blocks))
  }

  get length(): number {
    return this.to - this.from
  }

  /** As byte caps count them. */
  get bytes(): number {
    return this.#bytesUpTo(this.length)
  }

  /** Nobody will look at these rows again: their memory may be used for others. To be called once for every row. */
  release(): void {
    this.columns.body?.release(this.length)
  }

  slice(from: number, to = this.length): RowBlock {
    return new RowBlock(this.columns, this.from + from, this.from + to)
  }

  /** One row spelled out; its data is a view. */
  row(index: number): Row {
    const { data, partitionKeys, keyless, sequenceNumbers, arrivedMs, subSequenceNumbers } = this.columns
    const at = this.from + index
    const sub = subSequenceNumbers?.[at] ?? -1
    const arrived = arrivedMs[at] as number
    return {
      sequenceNumber: textAt(sequenceNumbers, at),
      subSequenceNumber: sub < 0 ? undefined : sub,
      partitionKey: keyless?.[at] === 1 ? undefined : textAt(partitionKeys, at),
      data: data.bytes.subarray(data.offsets[at], data.offsets[at + 1]),
      arrivedMs: Number.isNaN(arrived) ? undefined : arrived,
      last: sub < 0 || subSequenceNumbers?.[at + 1] !== sub + 1,
    }
  }

  sequenceNumber(index: number): string {
    return textAt(this.columns.sequenceNumbers, this.from + index)
  }

  /** How many of the first rows have together no more than so many bytes. */
  fitting(bytes: number): number {
    return countWhile(this.length, (index) => this.#bytesUpTo(index + 1) <= bytes)
  }

  /** How many of the first rows arrived no later than `ms`; of unknown arrival is early enough. */
  arrivedBy(ms: number): number {
    const { arrivedMs } = this.columns
    for (let at = this.from; at < this.to; at++) if ((arrivedMs[at] as number) > ms) return at - this.from
    return this.length
  }

  #bytesUpTo(index: number): number {
    const { data, partitionKeys } = this.columns
    const [start, end] = [this.from, this.from + index]
    const dataBytes = data.offsets[end]! - data.offsets[start]!
    return (
      dataBytes + partitionKeys.offsets[end]! - partitionKeys.offsets[start]! + index * ROW_OVERHEAD_BYTES
    )
  }
}

/** How many of the first `length` indexes satisfy `holds`, which is true up to some index and false from there on. */
export function countWhile(length: number, holds: (index: number) => boolean): number {
  let [from, to] = [0, length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (holds(middle)) from = middle + 1
    else to = middle
  }
  return from
}

function joined(blocks: readonly RowBlock[]): RowColumns {
  const length = blocks.reduce((sum, block) => sum + block.length, 0)
  const column = (of: (columns: RowColumns) => ByteColumn): ByteColumn => joinedColumn(blocks, length, of)
  const arrivedMs = new Float64Array(length)
  const keyless = blocks.some(({ columns }) => columns.keyless) ? new Uint8Array(length) : undefined
  const aggregated = blocks.some(({ columns }) => columns.subSequenceNumbers)
  const subSequenceNumbers = aggregated ? new Int32Array(length).fill(-1) : undefined
  let row = 0
  for (const { columns, from, to } of blocks) {
    arrivedMs.set(columns.arrivedMs.subarray(from, to), row)
    if (columns.keyless) keyless?.set(columns.keyless.subarray(from, to), row)
    if (columns.subSequenceNumbers)
      subSequenceNumbers?.set(columns.subSequenceNumbers.subarray(from, to), row)
    row += to - from
  }
  return {
    length,
    data: column(({ data }) => data),
    partitionKeys: column(({ partitionKeys }) => partitionKeys),
    keyless,
    sequenceNumbers: column(({ sequenceNumbers }) => sequenceNumbers),
    arrivedMs,
    arrivedMicros: undefined,
    subSequenceNumbers,
    body: undefined,
  }
}

function joinedColumn(
  blocks: readonly RowBlock[],
  length: number,
  of: (columns: RowColumns) => ByteColumn,
): ByteColumn {
  const offsets = new Int32Array(length + 1)
  const parts: Uint8Array[] = []
  let [row, bytes] = [0, 0]
  for (const { columns, from, to } of blocks) {
    const column = of(columns)
    const start = column.offsets[from]!
    for (let i = from + 1; i <= to; i++) offsets[++row] = bytes + column.offsets[i]! - start
    parts.push(column.bytes.subarray(start, column.offsets[to]))
    bytes = offsets[row]!
  }
  return { bytes: Buffer.concat(parts), offsets }
}

export const NO_ROWS = RowBlock.of([])

function columnsOf(rows: readonly Row[]): RowColumns {
  const aggregated = rows.some((row) => row.subSequenceNumber !== undefined)
  const keyless = rows.some((row) => row.partitionKey === undefined)
  return {
    length: rows.length,
    data: columnOf(rows.map((row) => row.data)),
    partitionKeys: columnOf(rows.map((row) => Buffer.from(row.partitionKey ?? ''))),
    keyless: keyless ? Uint8Array.from(rows, (row) => Number(row.partitionKey === undefined)) : undefined,
    sequenceNumbers: columnOf(rows.map((row) => Buffer.from(row.sequenceNumber))),
    arrivedMs: Float64Array.from(rows, (row) => row.arrivedMs ?? Number.NaN),
    arrivedMicros: undefined,
    subSequenceNumbers: aggregated ? Int32Array.from(rows, (row) => row.subSequenceNumber ?? -1) : undefined,
    body: undefined,
  }
}

function columnOf(values: readonly Uint8Array[]): ByteColumn {
  const offsets = new Int32Array(values.length + 1)
  for (const [index, value] of values.entries()) offsets[index + 1] = offsets[index]! + value.length
  return { bytes: Buffer.concat(values), offsets }
}

const utf8 = new TextDecoder()

function textAt({ bytes, offsets }: ByteColumn, index: number): string {
  return utf8.decode(bytes.subarray(offsets[index], offsets[index + 1]))
}
