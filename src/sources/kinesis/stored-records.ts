import type { StoredRecord } from './kinesis-port.ts'
import { RowBlock } from './row-block.ts'

/** The records of one answer, in order; as columns where they are all plain, or one by one. */
export class StoredRecords implements Iterable<StoredRecord> {
  readonly length: number
  /** Of data and partition keys, as the limits of a shard count them. */
  readonly bytes: number
  /** All records as rows, when none of them is an aggregate and their sequence numbers rise. */
  readonly block: RowBlock | undefined
  readonly #list: readonly StoredRecord[]

  private constructor(
    list: readonly StoredRecord[],
    block: RowBlock | undefined,
    length: number,
    bytes: number,
  ) {
    this.#list = list
    this.block = block
    this.length = length
    this.bytes = bytes
  }

  static of(list: readonly StoredRecord[]): StoredRecords {
    const bytes = list.reduce(
      (sum, { data, partitionKey }) => sum + data.length + (partitionKey?.length ?? 0),
      0,
    )
    return new StoredRecords(list, undefined, list.length, bytes)
  }

  static plain(block: RowBlock): StoredRecords {
    const { data, partitionKeys } = block.columns
    return new StoredRecords([], block, block.length, data.bytes.length + partitionKeys.bytes.length)
  }

  /** The same, in memory that is never lent again, whoever releases rows of it. */
  kept(): StoredRecords {
    const { block } = this
    if (!block?.columns.body) return this
    const columns = { ...block.columns, body: undefined }
    return new StoredRecords(this.#list, new RowBlock(columns, block.from, block.to), this.length, this.bytes)
  }

  has(sequenceNumber: string): boolean {
    for (const record of this) if (record.sequenceNumber === sequenceNumber) return true
    return false
  }

  *[Symbol.iterator](): Iterator<StoredRecord> {
    if (this.block) for (let index = 0; index < this.length; index++) yield this.block.row(index)
    else yield* this.#list
  }
}
