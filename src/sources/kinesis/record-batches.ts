import { createHash, type Hash } from 'node:crypto'
import { Binary, type Data, Int64, type RecordBatch, TimestampMicrosecond, Utf8 } from 'apache-arrow'
import { BytesColumn, Int64Column, recordBatch, type Schema } from '../../batch.ts'
import type { Row } from './rows.ts'

/** What every Kinesis source yields; the payload stays bytes until a query says what it is. */
export const KINESIS_SCHEMA: Schema = Object.freeze([
  { name: 'data', type: 'BLOB' },
  { name: 'streamName', type: 'VARCHAR' },
  { name: 'partitionKey', type: 'VARCHAR' },
  { name: 'sequenceNumber', type: 'VARCHAR' },
  /** UTC. */
  { name: 'approximateArrivalTimestamp', type: 'TIMESTAMP' },
  { name: 'shardId', type: 'VARCHAR' },
  /** Index within a KPL aggregate; NULL for a record that is none. */
  { name: 'subSequenceNumber', type: 'BIGINT' },
])

export interface Encoded {
  readonly rows: number
  readonly records: readonly RecordBatch[]
  readonly digest: string
}

/**
 * Rows as Arrow columns, shard by shard in the order of their ids, so that the same range gives the same rows in the
 * same order however its answers were interleaved.
 */
export function encodeRows(streamName: string, rows: ReadonlyMap<string, readonly Row[]>): Encoded {
  const shards = [...rows].filter(([, each]) => each.length > 0).sort(([a], [b]) => (a < b ? -1 : 1))
  const count = shards.reduce((sum, [, each]) => sum + each.length, 0)
  if (count === 0) return { rows: 0, records: [], digest: createHash('sha256').digest('hex') }
  const columns = new Columns(count, shards)
  const name = encoder.encode(streamName)
  for (const [shardId, each] of shards) {
    const id = encoder.encode(shardId)
    for (const row of each) columns.push(name, id, row)
  }
  const data = columns.finish()
  return { rows: count, records: [recordBatch(KINESIS_SCHEMA, data.all)], digest: digestOf(data.identity) }
}

const encoder = new TextEncoder()
const SEQUENCE_NUMBER_BYTES = 56

class Columns {
  readonly #data: BytesColumn
  readonly #streamName: BytesColumn
  readonly #partitionKey: BytesColumn
  readonly #sequenceNumber: BytesColumn
  readonly #arrival: Int64Column
  readonly #shardId: BytesColumn
  readonly #subSequenceNumber: Int64Column

  constructor(count: number, shards: readonly (readonly [string, readonly Row[]])[]) {
    const dataBytes = shards.reduce(
      (sum, [, rows]) => sum + rows.reduce((own, row) => own + row.data.length, 0),
      0,
    )
    this.#data = new BytesColumn(count, dataBytes)
    this.#streamName = new BytesColumn(count)
    this.#partitionKey = new BytesColumn(count)
    this.#sequenceNumber = new BytesColumn(count, count * SEQUENCE_NUMBER_BYTES)
    this.#arrival = new Int64Column(count)
    this.#shardId = new BytesColumn(count)
    this.#subSequenceNumber = new Int64Column(count)
  }

  push(streamName: Uint8Array, shardId: Uint8Array, row: Row): void {
    this.#data.push(row.data)
    this.#streamName.push(streamName)
    if (row.partitionKey === undefined) this.#partitionKey.pushNull()
    else this.#partitionKey.pushText(row.partitionKey)
    this.#sequenceNumber.pushText(row.sequenceNumber)
    if (row.arrivedMs === undefined) this.#arrival.pushNull()
    else this.#arrival.pushMillis(row.arrivedMs)
    this.#shardId.push(shardId)
    if (row.subSequenceNumber === undefined) this.#subSequenceNumber.pushNull()
    else this.#subSequenceNumber.push(BigInt(row.subSequenceNumber))
  }

  /** `identity`: the columns that say which records these are and what they hold. */
  finish(): { readonly all: readonly Data[]; readonly identity: readonly Data[] } {
    const data = this.#data.finish(new Binary())
    const partitionKey = this.#partitionKey.finish(new Utf8())
    const sequenceNumber = this.#sequenceNumber.finish(new Utf8())
    const shardId = this.#shardId.finish(new Utf8())
    const subSequenceNumber = this.#subSequenceNumber.finish(new Int64())
    const streamName = this.#streamName.finish(new Utf8())
    const arrival = this.#arrival.finish(new TimestampMicrosecond())
    return {
      all: [data, streamName, partitionKey, sequenceNumber, arrival, shardId, subSequenceNumber],
      identity: [shardId, sequenceNumber, subSequenceNumber, partitionKey, data],
    }
  }
}

/** Over whole column buffers instead of row by row: the same rows in the same order have the same buffers. */
function digestOf(columns: readonly Data[]): string {
  const hash = createHash('sha256')
  for (const column of columns) {
    hashBuffer(hash, column.nullCount > 0 ? column.nullBitmap : undefined)
    hashBuffer(hash, column.valueOffsets as ArrayBufferView | undefined)
    hashBuffer(hash, column.values as ArrayBufferView | undefined)
  }
  return hash.digest('hex')
}

/** With its length in front, so that no two sequences of buffers run together to the same bytes. */
function hashBuffer(hash: Hash, buffer: ArrayBufferView | undefined): void {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(buffer?.byteLength ?? 0))
  hash.update(length)
  if (buffer) hash.update(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength))
}
