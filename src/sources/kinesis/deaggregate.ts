import { createHash } from 'node:crypto'

/** One record as its producer put it, out of an aggregate of the Kinesis Producer Library. */
export interface SubRecord {
  readonly partitionKey: string
  /** 128-bit key that placed the record, if its producer gave one. */
  readonly explicitHashKey: string | undefined
  readonly data: Uint8Array
}

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
const DIGEST_BYTES = 16

/**
 * Takes an aggregate apart:
 *
 * ```
 * F3 89 9A C2 | AggregatedRecord { 1: partition keys, 2: explicit hash keys, 3: records } | MD5 of the message
 * Record      { 1: index of its partition key, 2: index of its explicit hash key (optional), 3: data }
 * ```
 * @returns the sub-records in order; `plain` when the bytes are no aggregate (magic or checksum differ); `corrupt`
 * when the checksum is right and the message is not. Neither is ever delivered in part.
 */
export function deaggregate(data: Uint8Array): readonly SubRecord[] | 'plain' | 'corrupt' {
  if (data.length <= MAGIC.length + DIGEST_BYTES || !MAGIC.every((byte, i) => data[i] === byte))
    return 'plain'
  const message = data.subarray(MAGIC.length, data.length - DIGEST_BYTES)
  const digest = data.subarray(data.length - DIGEST_BYTES)
  if (!createHash('md5').update(message).digest().equals(digest)) return 'plain'
  return parseAggregate(message) ?? 'corrupt'
}

/** Where a record belongs among the hash ranges of shards. */
export function hashKeyOf(record: SubRecord): bigint {
  if (record.explicitHashKey !== undefined && /^\d{1,39}$/.test(record.explicitHashKey)) {
    return BigInt(record.explicitHashKey)
  }
  return BigInt(`0x${createHash('md5').update(record.partitionKey, 'utf8').digest('hex')}`)
}

function parseAggregate(message: Uint8Array): readonly SubRecord[] | undefined {
  const partitionKeys: string[] = []
  const explicitHashKeys: string[] = []
  const records: Uint8Array[] = []
  const sound = eachField(message, (field, value) => {
    if (field < 1 || field > 3) return true
    if (typeof value === 'number') return false
    if (field === 1) partitionKeys.push(utf8.decode(value))
    else if (field === 2) explicitHashKeys.push(utf8.decode(value))
    else records.push(value)
    return true
  })
  if (!sound) return undefined
  const parsed: SubRecord[] = []
  for (const bytes of records) {
    const record = parseRecord(bytes, partitionKeys, explicitHashKeys)
    if (record === undefined) return undefined
    parsed.push(record)
  }
  return parsed
}

function parseRecord(
  bytes: Uint8Array,
  partitionKeys: readonly string[],
  explicitHashKeys: readonly string[],
): SubRecord | undefined {
  let partitionKey: string | undefined
  let explicitHashKey: string | undefined
  let data: Uint8Array | undefined
  const sound = eachField(bytes, (field, value) => {
    if (field < 1 || field > 3) return true
    if ((field === 3) !== (typeof value !== 'number')) return false
    if (typeof value !== 'number') data = value
    else if (field === 1) partitionKey = partitionKeys[value]
    else explicitHashKey = explicitHashKeys[value]
    // An index beyond its table makes the whole aggregate corrupt.
    return field === 3 || (field === 1 ? partitionKey : explicitHashKey) !== undefined
  })
  if (!sound || partitionKey === undefined || data === undefined) return undefined
  return { partitionKey, explicitHashKey, data }
}

const utf8 = new TextDecoder()

const VARINT = 0
const FIXED_64 = 1
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

/**
 * Walks the fields of a protobuf message: varints as numbers, length-delimited fields as views into `bytes`; fields
 * of other kinds are skipped. False when the bytes are no protobuf or `visit` refuses a field.
 */
function eachField(
  bytes: Uint8Array,
  visit: (field: number, value: number | Uint8Array) => boolean,
): boolean {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    if (!Number.isSafeInteger(tag) || field === 0) return false
    const kind = tag % 8
    if (kind === VARINT) {
      const value = varint()
      if (!Number.isSafeInteger(value) || !visit(field, value)) return false
    } else if (kind === LENGTH_DELIMITED) {
      const length = varint()
      if (!(length <= bytes.length - at)) return false
      if (!visit(field, bytes.subarray(at, at + length))) return false
      at += length
    } else if (kind === FIXED_64 || kind === FIXED_32) {
      at += kind === FIXED_64 ? 8 : 4
      if (at > bytes.length) return false
    } else {
      return false
    }
  }
  return true
}
