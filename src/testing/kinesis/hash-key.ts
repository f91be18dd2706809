import { createHash } from 'node:crypto'

/** A part of the 128-bit hash key space, both ends included. */
export interface HashRange {
  readonly start: bigint
  readonly end: bigint
}

export const HASH_KEYS = 2n ** 128n

/** Where a partition key falls: the MD5 of its UTF-8 text, read as a number. */
export function hashKeyOf(partitionKey: string): bigint {
  return BigInt(`0x${createHash('md5').update(partitionKey, 'utf8').digest('hex')}`)
}

export function contains(range: HashRange, key: bigint): boolean {
  return range.start <= key && key <= range.end
}

/** The key space in `count` equal parts; the last takes the remainder, as in the service. */
export function evenRanges(count: number): HashRange[] {
  const width = HASH_KEYS / BigInt(count)
  return Array.from({ length: count }, (_, i) => ({
    start: BigInt(i) * width,
    end: i === count - 1 ? HASH_KEYS - 1n : BigInt(i + 1) * width - 1n,
  }))
}
