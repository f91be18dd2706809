import { crc32 } from 'node:zlib'

/** CRC-32 (IEEE) in eight lower-case hex digits, continued from `before` for content that comes in pieces. */
export function checksum(bytes: Uint8Array, before?: string): string {
  return crc32(bytes, before === undefined ? 0 : Number.parseInt(before, 16))
    .toString(16)
    .padStart(8, '0')
}
