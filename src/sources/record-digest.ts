import { createHash, type Hash } from 'node:crypto'
import type { Data, RecordBatch } from 'apache-arrow'

/**
 * SHA-256 over the column buffers of a record batch: the same rows in the same order have the same buffers. Costs
 * under a nanosecond a byte, and no object a row.
 */
export function recordDigest(records: RecordBatch): string {
  const hash = createHash('sha256')
  for (const column of records.data.children) addColumn(hash, column as Data)
  return hash.digest('hex')
}

function addColumn(hash: Hash, column: Data): void {
  addBuffer(hash, column.nullCount > 0 ? column.nullBitmap : undefined)
  addBuffer(hash, column.valueOffsets as ArrayBufferView | undefined)
  addBuffer(hash, column.values as ArrayBufferView | undefined)
  for (const child of column.children) addColumn(hash, child as Data)
}

/** With its length in front, so that no two sequences of buffers run together to the same bytes. */
function addBuffer(hash: Hash, buffer: ArrayBufferView | undefined): void {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(buffer?.byteLength ?? 0))
  hash.update(length)
  if (buffer) hash.update(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength))
}
