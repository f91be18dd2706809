/** Major types of RFC 8949, already in the top three bits. */
export const MAJOR = {
  unsigned: 0 << 5,
  negative: 1 << 5,
  bytes: 2 << 5,
  text: 3 << 5,
  array: 4 << 5,
  map: 5 << 5,
  tag: 6 << 5,
  simple: 7 << 5,
} as const

/** Lengths that are not told beforehand end with this byte. */
export const BREAK = 0xff
export const INDEFINITE = 31
/** Kinesis writes times as tag 1 around milliseconds, where RFC 8949 means seconds. */
export const TAG_EPOCH = 1

export interface CborOptions {
  /** Whether maps and lists announce their length, or end with a break as the service's own encoder does. */
  readonly lengths: 'definite' | 'indefinite'
}

/** Writes CBOR into one growing buffer. */
export class CborWriter {
  readonly #indefinite: boolean
  #bytes = Buffer.allocUnsafe(1024)
  #length = 0

  constructor(options: CborOptions) {
    this.#indefinite = options.lengths === 'indefinite'
  }

  get length(): number {
    return this.#length
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Null, booleans, numbers, text, bytes, times, lists and objects of them; undefined members are left out. */
  value(value: unknown): void {
    if (value === null || value === undefined) this.#byte(MAJOR.simple | 22)
    else if (typeof value === 'boolean') this.#byte(MAJOR.simple | (value ? 21 : 20))
    else if (typeof value === 'number') this.number(value)
    else if (typeof value === 'string') this.text(value)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (value instanceof Date) this.time(value.getTime())
    else if (Array.isArray(value)) this.#list(value)
    else this.#object(value)
  }

  number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.#head(MAJOR.unsigned, value)
      else this.#head(MAJOR.negative, -1 - value)
      return
    }
    this.#reserve(9)
    this.#bytes[this.#length] = MAJOR.simple | 27
    this.#bytes.writeDoubleBE(value, this.#length + 1)
    this.#length += 9
  }

  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.#head(MAJOR.text, length)
    this.#reserve(length)
    this.#length += this.#bytes.write(value, this.#length, length, 'utf8')
  }

  bytes(value: Uint8Array): void {
    this.#head(MAJOR.bytes, value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  time(ms: number): void {
    this.#head(MAJOR.tag, TAG_EPOCH)
    this.number(Math.round(ms))
  }

  /** Opens a map of `members` names and values; `end` closes it. */
  map(members: number): void {
    this.#open(MAJOR.map, members)
  }

  /** Opens a list; `end` closes it. */
  list(items: number): void {
    this.#open(MAJOR.array, items)
  }

  end(): void {
    if (this.#indefinite) this.#byte(BREAK)
  }

  #open(major: number, count: number): void {
    if (this.#indefinite) this.#byte(major | INDEFINITE)
    else this.#head(major, count)
  }

  #list(values: readonly unknown[]): void {
    this.list(values.length)
    for (const value of values) this.value(value)
    this.end()
  }

  #object(value: object): void {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    this.map(members.length)
    for (const [name, member] of members) {
      this.text(name)
      this.value(member)
    }
    this.end()
  }

  #head(major: number, count: number): void {
    this.#reserve(9)
    const at = this.#length
    if (count < 24) {
      this.#bytes[at] = major | count
      this.#length += 1
    } else if (count < 2 ** 8) {
      this.#bytes[at] = major | 24
      this.#bytes[at + 1] = count
      this.#length += 2
    } else if (count < 2 ** 16) {
      this.#bytes[at] = major | 25
      this.#bytes.writeUInt16BE(count, at + 1)
      this.#length += 3
    } else if (count < 2 ** 32) {
      this.#bytes[at] = major | 26
      this.#bytes.writeUInt32BE(count, at + 1)
      this.#length += 5
    } else {
      this.#bytes[at] = major | 27
      this.#bytes.writeBigUInt64BE(BigInt(count), at + 1)
      this.#length += 9
    }
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const bigger = Buffer.allocUnsafe(Math.max(this.#length + more, this.#bytes.length * 2))
    this.#bytes.copy(bigger, 0, 0, this.#length)
    this.#bytes = bigger
  }
}
