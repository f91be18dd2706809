import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { refuse } from './service-error.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

const CHECKSUM = 'x-amz-checksum-'
const COMPUTE: Readonly<Record<string, (content: Uint8Array) => string>> = {
  crc32: (content) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(crc32(content))
    return bytes.toString('base64')
  },
  sha1: (content) => createHash('sha1').update(content).digest('base64'),
  sha256: (content) => createHash('sha256').update(content).digest('base64'),
}
/** Not checksums, though they share the prefix. */
const OTHERS = new Set(['mode', 'type', 'algorithm'])

/**
 * Holds what a request says about its content against the content.
 *
 * @param headers of the request, and its trailers
 * @returns the checksums that the object is stored with, by header name
 * @throws S3ServiceError BadDigest, XAmzContentSHA256Mismatch; NotImplemented for CRC-32C and CRC-64
 */
export function verifyContent(headers: Headers, content: Uint8Array): Readonly<Record<string, string>> {
  const md5 = headers['content-md5']
  if (md5 !== undefined && md5 !== createHash('md5').update(content).digest('base64')) refuse('BadDigest')
  const stored: Record<string, string> = {}
  for (const [name, given] of Object.entries(headers)) {
    const algorithm = name.startsWith(CHECKSUM) ? name.slice(CHECKSUM.length) : undefined
    if (algorithm === undefined || OTHERS.has(algorithm)) continue
    const compute = COMPUTE[algorithm]
    if (compute === undefined) refuse('NotImplemented', { message: `The double cannot compute ${name}.` })
    if (given !== compute(content)) {
      const message = `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`
      refuse('BadDigest', { message })
    }
    stored[name] = String(given)
  }
  return stored
}

/** Holds the digest that a request was signed with against its body. */
export function verifyPayload(headers: Headers, body: Uint8Array): void {
  const signed = String(headers['x-amz-content-sha256'] ?? '')
  if (!/^[0-9a-f]{64}$/.test(signed)) return
  if (signed !== createHash('sha256').update(body).digest('hex')) refuse('XAmzContentSHA256Mismatch')
}
