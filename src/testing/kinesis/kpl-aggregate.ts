import { createHash } from 'node:crypto'

export interface AggregatedRecord {
  readonly partitionKey: string
  readonly explicitHashKey?: string
  /** Text is taken as UTF-8. */
  readonly data: Uint8Array | string
}

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)

/** Protobuf field tags: `number << 3 | wire type`, 2 for length-delimited and 0 for varints. */
const PARTITION_KEY_TABLE = (1 << 3) | 2
const EXPLICIT_HASH_KEY_TABLE = (2 << 3) | 2
const RECORD = (3 << 3) | 2
const PARTITION_KEY_INDEX = (1 << 3) | 0
const EXPLICIT_HASH_KEY_INDEX = (2 << 3) | 0
const DATA = (3 << 3) | 2

/**
 * One Kinesis record's data out of many, as the Kinesis Producer Library packs them:
 *
 * ```
 * F3 89 9A C2 | AggregatedRecord { 1: partition keys, 2: explicit hash keys, 3: records } | MD5 of the message
 * Record      { 1: index of its partition key, 2: index of its explicit hash key (optional), 3: data }
 * ```
 */
export function aggregate(records: Iterable<AggregatedRecord>): Uint8Array {
  const partitionKeys = new KeyTable()
  const explicitHashKeys = new KeyTable()
  const bodies: Buffer[] = []
  for (const { partitionKey, explicitHashKey, data } of records) {
    const parts = [Buffer.from([PARTITION_KEY_INDEX]), varint(partitionKeys.indexOf(partitionKey))]
    if (explicitHashKey !== undefined) {
      parts.push(Buffer.from([EXPLICIT_HASH_KEY_INDEX]), varint(explicitHashKeys.indexOf(explicitHashKey)))
    }
    bodies.push(field(RECORD, Buffer.concat([...parts, field(DATA, bytesOf(data))])))
  }
  const message = Buffer.concat([
    ...partitionKeys.keys.map((key) => field(PARTITION_KEY_TABLE, Buffer.from(key))),
    ...explicitHashKeys.keys.map((key) => field(EXPLICIT_HASH_KEY_TABLE, Buffer.from(key))),
    ...bodies,
  ])
  return sealAggregate(message)
}

/** Magic and checksum around a protobuf message, sound or not; for tests of damaged aggregates. */
export function sealAggregate(message: Uint8Array): Uint8Array {
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()])
}

/** Keys in the order of their first use, each once. */
class KeyTable {
  readonly #indexes = new Map<string, number>()

  get keys(): readonly string[] {
    return [...this.#indexes.keys()]
  }

  indexOf(key: string): number {
    const index = this.#indexes.get(key) ?? this.#indexes.size
    this.#indexes.set(key, index)
    return index
  }
}

function field(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), varint(content.length), content])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data
}
