import {
  Binary,
  type Data,
  type DataType,
  Int64,
  makeData,
  type RecordBatch,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow'
import { recordBatch, type Schema } from '../../batch.ts'
import { type ByteColumn, RowBlock } from './row-block.ts'
import { RowsDigest } from './rows-digest.ts'

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
  release(): void
}

/** Fewer rows and bytes than these are not worth a record batch of their own; more bytes are not worth a copy. */
const FEW_ROWS = 2048
const FEW_BYTES = 256 * 1024

interface ShardRows {
  readonly shardId: string
  readonly rows: RowBlock
}

/**
 * Rows as Arrow record batches, shard by shard in the order of their ids, so that the same range gives the same rows
 * in the same order however its answers were interleaved. Large blocks go in as they are, small ones are joined.
 */
export function encodeRows(streamName: string, blocks: ReadonlyMap<string, readonly RowBlock[]>): Encoded {
  const parts = [...blocks]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([shardId, each]) => each.map((rows) => ({ shardId, rows })))
    .filter(({ rows }) => rows.length > 0)
  const digest = new RowsDigest()
  for (const { shardId, rows } of parts) digest.add(shardId, rows)
  return {
    rows: parts.reduce((sum, { rows }) => sum + rows.length, 0),
    records: grouped(parts).map((group) => encode(streamName, group)),
    digest: digest.value,
    release: () => {
      for (const { rows } of parts) rows.release()
    },
  }
}

/** Every part in one group, in order; small ones together with their neighbours. */
function grouped(parts: readonly ShardRows[]): ShardRows[][] {
  const groups: ShardRows[][] = []
  let room = 0
  for (const part of parts) {
    const isHeavy = part.rows.bytes > FEW_BYTES
    if (part.rows.length > room || isHeavy) {
      groups.push([])
      room = isHeavy ? part.rows.length : FEW_ROWS
    }
    groups.at(-1)?.push(part)
    room -= part.rows.length
  }
  return groups
}

const ARRIVAL = new TimestampMicrosecond()

function encode(streamName: string, parts: readonly ShardRows[]): RecordBatch {
  const { columns, from, to } = RowBlock.join(parts.map(({ rows }) => rows))
  const length = to - from
  const { keyless, arrivedMs, arrivedMicros, subSequenceNumbers } = columns
  const range = ({ bytes, offsets }: ByteColumn): ByteColumn => ({
    bytes,
    offsets: offsets.subarray(from, to + 1),
  })
  return recordBatch(KINESIS_SCHEMA, [
    byteData(new Binary(), range(columns.data)),
    byteData(new Utf8(), repeatedText(streamName, length)),
    byteData(
      new Utf8(),
      range(columns.partitionKeys),
      nullsWhere(length, keyless && ((i) => keyless[from + i] === 1)),
    ),
    byteData(new Utf8(), range(columns.sequenceNumbers)),
    arrivedMicros
      ? makeData({ type: ARRIVAL, length, nullCount: 0, data: arrivedMicros.subarray(from, to) } as never)
      : wholeData(ARRIVAL, length, (i) => Math.round(arrivedMs[from + i]!) * 1000),
    byteData(new Utf8(), shardIds(parts)),
    subSequenceNumbers
      ? wholeData(new Int64(), length, (i) => subNumber(subSequenceNumbers[from + i]!))
      : nothing(new Int64(), length),
  ])
}

function subNumber(number: number): number {
  return number < 0 ? Number.NaN : number
}

interface Nulls {
  readonly nullCount: number
  readonly nullBitmap: Uint8Array | undefined
}

function byteData(type: DataType, { bytes, offsets }: ByteColumn, nulls: Nulls = NO_NULLS): Data {
  return makeData({ type, length: offsets.length - 1, ...nulls, valueOffsets: offsets, data: bytes } as never)
}

/** 64-bit whole numbers out of exact numbers; NaN is NULL. */
function wholeData(type: DataType, length: number, valueAt: (index: number) => number): Data {
  const words = new Int32Array(length * 2)
  let nulls = 0
  for (let i = 0; i < length; i++) {
    const value = valueAt(i)
    if (Number.isNaN(value)) nulls++
    // Without a BigInt for each: the lower 32 bits, then the upper ones with the sign.
    words[2 * i] = value
    words[2 * i + 1] = Math.floor(value / TWO_32)
  }
  const data = new BigInt64Array(words.buffer)
  const isNull = (i: number) => Number.isNaN(valueAt(i))
  return makeData({
    type,
    length,
    ...nullsWhere(length, nulls > 0 ? isNull : undefined),
    data,
  } as never)
}

const TWO_32 = 2 ** 32
const NO_NULLS: Nulls = { nullCount: 0, nullBitmap: undefined }

function nullsWhere(length: number, isNull: ((index: number) => boolean) | undefined): Nulls {
  if (!isNull) return NO_NULLS
  const nullBitmap = new Uint8Array(Math.ceil(length / 8))
  let nullCount = 0
  for (let i = 0; i < length; i++) {
    if (isNull(i)) nullCount++
    else nullBitmap[i >> 3]! |= 1 << (i & 7)
  }
  return { nullCount, nullBitmap }
}

/** Columns that are the same in every batch are made once, as long as the longest of them, and never written again. */
const made = { zeros: new BigInt64Array(0), texts: new Map<string, ByteColumn>() }

/** Many shards share few texts of that length: beyond so many they are made anew. */
const MOST_TEXTS = 64

/** 64-bit NULLs. */
function nothing(type: DataType, length: number): Data {
  if (made.zeros.length < length) made.zeros = new BigInt64Array(length)
  const { zeros } = made
  const nullBitmap = new Uint8Array(zeros.buffer, 0, Math.ceil(length / 8))
  return makeData({ type, length, nullCount: length, nullBitmap, data: zeros.subarray(0, length) } as never)
}

/** A text so many times. */
function repeatedText(text: string, times: number): ByteColumn {
  let column = made.texts.get(text)
  if (!column || column.offsets.length <= times) {
    column = repeated([[text, times]])
    if (made.texts.size >= MOST_TEXTS) made.texts.clear()
    made.texts.set(text, column)
  }
  const offsets = column.offsets.subarray(0, times + 1)
  return { bytes: column.bytes.subarray(0, offsets[times]), offsets }
}

function shardIds(parts: readonly ShardRows[]): ByteColumn {
  const [{ shardId, rows }] = parts as [ShardRows]
  if (parts.length === 1) return repeatedText(shardId, rows.length)
  return repeated(parts.map((part) => [part.shardId, part.rows.length]))
}

/** Each text so many times, one after the other. */
function repeated(runs: readonly (readonly [string, number])[]): ByteColumn {
  const texts = runs.map(([text, times]) => [Buffer.from(text), times] as const)
  const bytes = Buffer.allocUnsafeSlow(texts.reduce((sum, [text, times]) => sum + text.length * times, 0))
  const offsets = new Int32Array(runs.reduce((sum, [, times]) => sum + times, 1))
  let [row, at] = [0, 0]
  for (const [text, times] of texts) {
    if (times > 0) bytes.fill(text, at, at + text.length * times)
    for (const last = row + times; row < last; ) {
      at += text.length
      offsets[++row] = at
    }
  }
  return { bytes, offsets }
}
