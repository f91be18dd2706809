import { crc32 } from 'node:zlib'
import type { ByteColumn, RowBlock } from './row-block.ts'

/**
 * What the rows of a batch come to: the same for the same rows in the same order, however they are cut into blocks.
 *
 * It is to notice a replay that gives other rows, not to withstand somebody who forges them; so it is made of CRC-32 sums,
 * one a column, which take a quarter of the time of a cryptographic hash.
 */
export class RowsDigest {
  readonly #shards = new Map<string, number>()
  #shapes = 0
  #sequenceNumbers = 0
  #partitionKeys = 0
  #data = 0

  /** Rows of one shard, in order; shard after shard. */
  add(shardId: string, rows: RowBlock): void {
    const { data, partitionKeys, sequenceNumbers } = rows.columns
    this.#shards.set(shardId, (this.#shards.get(shardId) ?? 0) + rows.length)
    this.#shapes = crc32(shapesOf(rows), this.#shapes)
    this.#sequenceNumbers = crc32(bytesOf(sequenceNumbers, rows), this.#sequenceNumbers)
    this.#partitionKeys = crc32(bytesOf(partitionKeys, rows), this.#partitionKeys)
    this.#data = crc32(bytesOf(data, rows), this.#data)
  }

  /** 40 hexadecimal digits. */
  get value(): string {
    const shards = crc32(JSON.stringify([...this.#shards]))
    const sums = [shards, this.#shapes, this.#sequenceNumbers, this.#partitionKeys, this.#data]
    return sums.map((sum) => sum.toString(16).padStart(8, '0')).join('')
  }
}

function bytesOf({ bytes, offsets }: ByteColumn, { from, to }: RowBlock): Uint8Array {
  return bytes.subarray(offsets[from], offsets[to])
}

/** Of every row the lengths of its values, and its place within an aggregate; -1 for what is missing. */
function shapesOf({ columns, from, to }: RowBlock): Uint8Array {
  const { data, partitionKeys, keyless, sequenceNumbers, subSequenceNumbers } = columns
  const size = 4 * (to - from)
  if (scratch.length < size) scratch = new Int32Array(size)
  const shapes = scratch
  let at = 0
  for (let row = from; row < to; row++) {
    const next = row + 1
    shapes[at++] = data.offsets[next]! - data.offsets[row]!
    shapes[at++] = keyless?.[row] === 1 ? -1 : partitionKeys.offsets[next]! - partitionKeys.offsets[row]!
    shapes[at++] = sequenceNumbers.offsets[next]! - sequenceNumbers.offsets[row]!
    shapes[at++] = subSequenceNumbers?.[row] ?? -1
  }
  return new Uint8Array(shapes.buffer, 0, size * 4)
}

/** Used by one block after the other. */
let scratch = new Int32Array(0)
