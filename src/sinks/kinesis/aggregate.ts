import { createHash } from 'node:crypto'
import type { Entry } from './entries.ts'
import { hashOf } from './shard-map.ts'

/** A record that holds several, as the Kinesis Producer Library packs them. */
export interface AggregateEntry extends Entry {
  readonly members: readonly Entry[]
}

export function isAggregate(entry: Entry): entry is AggregateEntry {
  return 'members' in entry
}

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
const DIGEST_BYTES = 16

/** Protobuf: `number of the field << 3 | 2` before bytes with their length, `| 0` before a varint. */
const TAG = {
  partitionKey: 0x0a,
  hashKey: 0x12,
  record: 0x1a,
  keyIndex: 0x08,
  hashIndex: 0x10,
  data: 0x1a,
} as const

/**
 * Packs records into one:
 *
 * ```
 * F3 89 9A C2 | AggregatedRecord { 1: partition keys, 2: explicit hash keys, 3: records } | MD5 of the message
 * Record      { 1: index of its partition key, 2: index of its explicit hash key (optional), 3: data }
 * ```
 */
export class Aggregate {
  readonly #members: Entry[] = []
  readonly #keys = new Map<string, number>()
  readonly #hashKeys = new Map<string, number>()
  readonly #records: Uint8Array[] = []
  #bytes = MAGIC.length + DIGEST_BYTES

  get size(): number {
    return this.#members.length
  }

  /** Of the data, were this record added. */
  bytesWith(entry: Entry): number {
    return this.#bytes + this.#cost(entry)
  }

  add(entry: Entry): void {
    this.#bytes += this.#cost(entry)
    this.#members.push(entry)
    const parts = [Buffer.of(TAG.keyIndex), varint(indexIn(this.#keys, entry.PartitionKey))]
    if (entry.ExplicitHashKey !== undefined) {
      parts.push(Buffer.of(TAG.hashIndex), varint(indexIn(this.#hashKeys, entry.ExplicitHashKey)))
    }
    this.#records.push(...field(TAG.record, [...parts, ...field(TAG.data, [entry.Data])]))
  }

  /** One that holds a single record is that record. */
  finish(): Entry {
    const first = this.#members[0] as Entry
    if (this.#members.length === 1) return first
    const message = Buffer.concat([
      ...[...this.#keys.keys()].flatMap((key) => field(TAG.partitionKey, [Buffer.from(key)])),
      ...[...this.#hashKeys.keys()].flatMap((key) => field(TAG.hashKey, [Buffer.from(key)])),
      ...this.#records,
    ])
    const digest = createHash('md5').update(message).digest()
    const aggregate: AggregateEntry = {
      Data: Buffer.concat([MAGIC, message, digest]),
      // As the KPL does: the hash places it, the key says nothing.
      PartitionKey: 'a',
      ExplicitHashKey: String(hashOf(first)),
      members: this.#members,
    }
    return aggregate
  }

  #cost({ PartitionKey, ExplicitHashKey, Data }: Entry): number {
    const key = tableCost(this.#keys, PartitionKey)
    const hash = ExplicitHashKey === undefined ? undefined : tableCost(this.#hashKeys, ExplicitHashKey)
    const data = framed(Data.length)
    const record = 1 + varintBytes(key.index) + (hash ? 1 + varintBytes(hash.index) : 0) + data
    return key.bytes + (hash?.bytes ?? 0) + framed(record)
  }
}

/** Where a key is or would be in its table, and what the table grows by. */
function tableCost(table: ReadonlyMap<string, number>, key: string): { index: number; bytes: number } {
  const index = table.get(key)
  return index === undefined
    ? { index: table.size, bytes: framed(Buffer.byteLength(key)) }
    : { index, bytes: 0 }
}

/** Keys stand in the order of their first use, each once. */
function indexIn(table: Map<string, number>, key: string): number {
  const index = table.get(key) ?? table.size
  table.set(key, index)
  return index
}

function field(tag: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, { length }) => sum + length, 0)
  return [Buffer.of(tag), varint(length), ...content]
}

/** Bytes with their tag and length. */
function framed(length: number): number {
  return 1 + varintBytes(length) + length
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : 1 + varintBytes(Math.floor(value / 0x80))
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(varintBytes(value))
  let rest = value
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (rest % 0x80) | (i < bytes.length - 1 ? 0x80 : 0)
    rest = Math.floor(rest / 0x80)
  }
  return bytes
}
