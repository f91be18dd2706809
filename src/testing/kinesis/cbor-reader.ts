import { BREAK, INDEFINITE, MAJOR, TAG_EPOCH } from './cbor-writer.ts'
import { refuse } from './service-error.ts'

const DEEPEST = 64

/** One CBOR value as plain JavaScript; times become dates. @throws KinesisServiceError SerializationException */
export function readCbor(bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes)
  const value = reader.value(0)
  reader.atEnd()
  return value
}

class CborReader {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(depth: number): unknown {
    if (depth > DEEPEST) refuse('SerializationException', `CBOR nested deeper than ${DEEPEST}`)
    const initial = this.#view.getUint8(this.#take(1))
    const major = initial & 0xe0
    const info = initial & 0x1f
    switch (major) {
      case MAJOR.unsigned:
        return this.#argument(info)
      case MAJOR.negative:
        return -1 - this.#argument(info)
      case MAJOR.bytes:
        return Buffer.concat(this.#strings(MAJOR.bytes, info))
      case MAJOR.text:
        return Buffer.concat(this.#strings(MAJOR.text, info)).toString('utf8')
      case MAJOR.array:
        return this.#list(info, depth)
      case MAJOR.map:
        return this.#map(info, depth)
      case MAJOR.tag:
        return tagged(this.#argument(info), this.value(depth + 1))
      default:
        return this.#simple(info)
    }
  }

  atEnd(): void {
    if (this.#at !== this.#bytes.length) refuse('SerializationException', 'Bytes follow the CBOR value')
  }

  /** The parts of a string: one, or any number of them up to a break. */
  #strings(major: number, info: number): Uint8Array[] {
    if (info !== INDEFINITE) return [this.#string(info)]
    const parts: Uint8Array[] = []
    while (!this.#broken()) {
      const initial = this.#view.getUint8(this.#take(1))
      if ((initial & 0xe0) !== major || (initial & 0x1f) === INDEFINITE) {
        refuse('SerializationException', 'A CBOR string has a part of another type')
      }
      parts.push(this.#string(initial & 0x1f))
    }
    return parts
  }

  #string(info: number): Uint8Array {
    const length = this.#argument(info)
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #list(info: number, depth: number): unknown[] {
    const items: unknown[] = []
    if (info === INDEFINITE) while (!this.#broken()) items.push(this.value(depth + 1))
    else for (let left = this.#argument(info); left > 0; left--) items.push(this.value(depth + 1))
    return items
  }

  #map(info: number, depth: number): Record<string, unknown> {
    const members: [string, unknown][] = []
    if (info === INDEFINITE) while (!this.#broken()) members.push(this.#member(depth))
    else for (let left = this.#argument(info); left > 0; left--) members.push(this.#member(depth))
    return Object.fromEntries(members)
  }

  #member(depth: number): [string, unknown] {
    const name = this.value(depth + 1)
    if (typeof name === 'string') return [name, this.value(depth + 1)]
    return refuse('SerializationException', 'A CBOR map has a key that is not text')
  }

  #simple(info: number): unknown {
    if (info === 20 || info === 21) return info === 21
    if (info === 22 || info === 23) return null
    if (info === 25) return halfFloat(this.#view.getUint16(this.#take(2)))
    if (info === 26) return this.#view.getFloat32(this.#take(4))
    if (info === 27) return this.#view.getFloat64(this.#take(8))
    return refuse('SerializationException', `CBOR simple value ${info} is not understood`)
  }

  #argument(info: number): number {
    if (info < 24) return info
    if (info === 24) return this.#view.getUint8(this.#take(1))
    if (info === 25) return this.#view.getUint16(this.#take(2))
    if (info === 26) return this.#view.getUint32(this.#take(4))
    if (info === 27) return Number(this.#view.getBigUint64(this.#take(8)))
    return refuse('SerializationException', `CBOR length ${info} is not understood`)
  }

  #broken(): boolean {
    if (this.#bytes[this.#at] !== BREAK) return false
    this.#at++
    return true
  }

  /** The place of the next `length` bytes. */
  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) refuse('SerializationException', 'The CBOR value is cut short')
    this.#at = start + length
    return start
  }
}

function tagged(tag: number, value: unknown): unknown {
  return tag === TAG_EPOCH && typeof value === 'number' ? new Date(Math.round(value)) : value
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024)
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
}
