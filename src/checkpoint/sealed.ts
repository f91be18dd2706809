import type { Json } from '../batch.ts'
import { checksum } from '../checksum.ts'
import { SluiceError } from '../errors.ts'
import { corrupt } from './corrupt.ts'

/*
 * Every file of a checkpoint but the Parquet ones:
 *
 *   file = "sluice " kind " v" version LF  json LF  "end " length " " crc32 LF
 *
 * `length` counts the bytes before the last line, and crc32 (IEEE, as in gzip; eight lower-case hex digits) is
 * taken over them. The first and the last line keep this shape in every version.
 */
export type SealedKind = 'metadata' | 'epoch' | 'release' | 'beat' | 'initial' | 'offsets' | 'commit'

const HEAD = /^sluice ([a-z]+) v([1-9]\d{0,8})$/
const END = /^end (0|[1-9]\d{0,15}) ([0-9a-f]{8})$/
const LF = 0x0a

/** @throws CHECKPOINT_MISUSE for a number that JSON would change in silence (NaN, infinities) */
export function seal(kind: SealedKind, version: number, body: Json): Uint8Array {
  const json = JSON.stringify(body, (key, value: unknown) => storable(kind, key, value))
  const content = Buffer.from(`sluice ${kind} v${version}\n${json}\n`)
  return Buffer.concat([content, Buffer.from(`end ${content.length} ${checksum(content)}\n`)])
}

/**
 * The body of a sealed file.
 *
 * @param versions the format versions that the caller can read
 * @throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION
 */
export function unseal(
  kind: SealedKind,
  versions: readonly number[],
  location: string,
  path: string,
  bytes: Uint8Array,
): Json {
  const damaged = (reason: string) => corrupt(location, path, reason)
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length === 0) throw damaged('is empty')
  const headEnd = file.indexOf(LF)
  const head = HEAD.exec(file.toString('latin1', 0, Math.max(0, headEnd)))
  if (!head)
    throw damaged("does not begin with a line such as 'sluice offsets v1': it is cut off, or not ours")
  const content = checked(file, damaged)
  if (head[1] !== kind) throw damaged(`is a file of kind '${head[1]}', not '${kind}'`)
  if (!versions.includes(Number(head[2]))) {
    const known = versions.map((version) => `version ${version}`).join(', ')
    throw new SluiceError('CHECKPOINT_VERSION', { location, path, version: head[2] ?? '', known })
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(headEnd + 1))
    return JSON.parse(text) as Json
  } catch {
    throw damaged('has a right checksum but its second line is not JSON')
  }
}

function checked(file: Buffer, damaged: (reason: string) => SluiceError): Buffer {
  const endStart = file.lastIndexOf(LF, -2) + 1
  const end = file.at(-1) === LF ? END.exec(file.toString('latin1', endStart, file.length - 1)) : null
  if (!end) throw damaged('is cut off or was edited: its last line does not hold length and checksum')
  const content = file.subarray(0, endStart)
  if (Number(end[1]) !== content.length) {
    throw damaged(`holds ${content.length} bytes where its last line says ${end[1]}`)
  }
  const computed = checksum(content)
  if (computed !== end[2]) throw damaged(`has checksum ${computed} where its last line says ${end[2]}`)
  return content
}

function storable(kind: string, key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  const reason = `${value} as '${key}' of a file of kind '${kind}' does not survive JSON`
  throw new SluiceError('CHECKPOINT_MISUSE', { location: 'of this query', reason })
}
