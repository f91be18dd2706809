import { SluiceError } from '../../errors.ts'

/** What CBOR as Kinesis speaks it can say; tags are left out, and what they are around stays. */
export type CborValue =
  | null
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CborValue[]
  | CborMap

export interface CborMap {
  readonly [name: string]: CborValue
}

/** Major types of RFC 8949. */
const UNSIGNED = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const LIST = 4
const MAP = 5
const TAG = 6

const INDEFINITE = 31
const BREAK = 0xff
const DEEPEST = 32
const TWO_32 = 2 ** 32

/** Reads values one after the other. Every method throws CBOR_MALFORMED for bytes that are none. */
export class CborReader {
  /** Where the next value begins. */
  at = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Any value. */
  value(depth = 0): CborValue {
    if (depth > DEEPEST) this.refuse('values nested too deeply')
    const initial = this.#byte()
    const info = initial & 31
    switch (initial >> 5) {
      case UNSIGNED:
        return this.#argument(info)
      case NEGATIVE:
        return -1 - this.#argument(info)
      case BYTES:
        return this.#string(BYTES, info)
      case TEXT:
        return utf8.decode(this.#string(TEXT, info))
      case LIST:
        return this.#list(this.#count(info), depth)
      case MAP:
        return this.#map(this.#count(info), depth)
      case TAG:
        this.#argument(info)
        return this.value(depth + 1)
      default:
        return this.#simple(info)
    }
  }

  text(): string {
    const value = this.value()
    return typeof value === 'string' ? value : this.refuse('no text')
  }

  /** Enters a map or list; `more`, asked before every member, says whether there is one. */
  enter(kind: 'map' | 'list'): Members {
    const initial = this.#byte()
    if (initial >> 5 !== (kind === 'map' ? MAP : LIST)) this.refuse(`no ${kind}`)
    return this.#count(initial & 31)
  }

  more(members: Members): boolean {
    if (members.left !== undefined) return members.left-- > 0
    if (this.#bytes[this.at] !== BREAK) return true
    this.at++
    return false
  }

  end(): void {
    if (this.at !== this.#bytes.length) this.refuse('bytes after the value')
  }

  refuse(reason: string): never {
    throw new SluiceError('CBOR_MALFORMED', { at: this.at, reason })
  }

  #list(members: Members, depth: number): CborValue[] {
    const list: CborValue[] = []
    while (this.more(members)) list.push(this.value(depth + 1))
    return list
  }

  #map(members: Members, depth: number): CborMap {
    const map: [string, CborValue][] = []
    while (this.more(members)) map.push([this.text(), this.value(depth + 1)])
    return Object.fromEntries(map)
  }

  /** In one piece, or in any number of them up to a break. */
  #string(major: number, info: number): Uint8Array {
    if (info !== INDEFINITE) return this.#slice(this.#argument(info))
    const parts: Uint8Array[] = []
    const pieces: Members = { left: undefined }
    while (this.more(pieces)) {
      const initial = this.#byte()
      if (initial >> 5 !== major) this.refuse('a string with a part of another type')
      parts.push(this.#slice(this.#argument(initial & 31)))
    }
    return Buffer.concat(parts)
  }

  #slice(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #simple(info: number): CborValue {
    if (info === 20 || info === 21) return info === 21
    if (info === 22) return null
    if (info === 23) return undefined
    if (info === 26) return this.#view.getFloat32(this.#take(4))
    if (info === 27) return this.#view.getFloat64(this.#take(8))
    return this.refuse(`the simple value ${info}`)
  }

  #count(info: number): Members {
    return { left: info === INDEFINITE ? undefined : this.#argument(info) }
  }

  #argument(info: number): number {
    if (info < 24) return info
    if (info === 24) return this.#byte()
    if (info === 25) return this.#view.getUint16(this.#take(2))
    if (info === 26) return this.#view.getUint32(this.#take(4))
    if (info !== 27) return this.refuse(`the additional information ${info}`)
    const at = this.#take(8)
    return this.#view.getUint32(at) * TWO_32 + this.#view.getUint32(at + 4)
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  #take(length: number): number {
    const at = this.at
    if (length > this.#bytes.length - at) this.refuse('an early end')
    this.at = at + length
    return at
  }
}

/** Of a map or list that was entered: how many are left; undefined when a break ends it. */
export interface Members {
  left: number | undefined
}

/** @throws CBOR_MALFORMED */
export function readCbor(bytes: Uint8Array): CborValue {
  const reader = new CborReader(bytes)
  const value = reader.value()
  reader.end()
  return value
}

/** A flat map of text and whole numbers, which is all that requests are made of. */
export function writeCborMap(map: Readonly<Record<string, string | number>>): Uint8Array {
  const members = Object.entries(map)
  const values = members.flatMap(([name, value]) => [
    text(name),
    typeof value === 'number' ? head(UNSIGNED, value) : text(value),
  ])
  return Buffer.concat([head(MAP, members.length), ...values])
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value)
  return Buffer.concat([head(TEXT, bytes.length), bytes])
}

function head(major: number, argument: number): Uint8Array {
  if (argument < 24) return Uint8Array.of((major << 5) | argument)
  const bytes = Buffer.alloc(5)
  bytes[0] = (major << 5) | 26
  bytes.writeUInt32BE(argument, 1)
  return bytes
}

const utf8 = new TextDecoder()
