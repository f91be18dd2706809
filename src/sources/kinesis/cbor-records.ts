import { isUtf8 } from 'node:buffer'
import type { StoredRecord } from './kinesis-port.ts'
import { LentBody } from './lent-body.ts'
import { findPlainRecords } from './plain-records.ts'
import { type ByteColumn, RowBlock } from './row-block.ts'
import { StoredRecords } from './stored-records.ts'

/** Parts of the first byte of a CBOR value: its major type, and how its length follows. */
const TEXT = 3
const BYTES = 2
const LIST = 4
const MAP = 5
const INDEFINITE = 31
const BREAK = 0xff
const EPOCH_TAG = 0xc1

/** First four bytes of an aggregate. */
const AGGREGATE = 0xf3899ac2
const TWO_32 = 2 ** 32

/** Where the records of a page lie, and what is to be known of them; used by one page after the other. */
class Places {
  readonly data: Place
  readonly partitionKey: Place
  readonly sequenceNumber: Place
  readonly arrivedMs: Float64Array
  readonly size: number

  constructor(size: number) {
    this.size = size
    this.data = new Place(size)
    this.partitionKey = new Place(size)
    this.sequenceNumber = new Place(size)
    this.arrivedMs = new Float64Array(size)
  }
}

/** Of one member of every record: where it begins and ends in the body. It begins at 0 where it is missing. */
class Place {
  readonly starts: Int32Array
  readonly ends: Int32Array

  constructor(size: number) {
    this.starts = new Int32Array(size)
    this.ends = new Int32Array(size)
  }
}

let places = new Places(10_000)

/**
 * Finds the records of a GetRecords answer where they lie in its body, without an object for any of them.
 *
 * When all of them are plain and in rising order, as nearly always, they become columns within the body's own buffer:
 * the data moves to its front, where nothing is needed any more. Otherwise they are spelled out one by one, as views.
 *
 * @param body an answer, and behind its `length` bytes free ones for keys and sequence numbers; nobody else looks at it
 * @param at where the list of records begins
 * @returns undefined when the list is not as Kinesis writes it; then somebody who reads all of CBOR has to look at it
 */
export function findRecords(
  body: Buffer,
  length: number,
  at: number,
): { readonly records: StoredRecords; readonly end: number } | undefined {
  const found = findPlainRecords(body, length, at)
  if (found) return found
  const walk = new Walk(body, length, at)
  if (!walk.list()) return undefined
  const records = walk.isPlain ? gathered(body, length, walk) : spelledOut(body, walk)
  return { records, end: walk.at }
}

/** A single pass over the list. Bytes behind the end are never taken for the answer's. */
class Walk {
  at: number
  count = 0
  /** Neither aggregates nor records out of order. */
  isPlain = true
  readonly #body: Uint8Array
  readonly #view: DataView
  readonly #end: number

  constructor(body: Uint8Array, end: number, at: number) {
    this.#body = body
    this.#view = new DataView(body.buffer, body.byteOffset, end)
    this.#end = end
    this.at = at
  }

  /** False when something is not as expected. */
  list(): boolean {
    try {
      const initial = this.#view.getUint8(this.at++)
      if (initial >> 5 !== LIST) return false
      const isOpen = (initial & 31) === INDEFINITE
      const count = isOpen ? Number.POSITIVE_INFINITY : this.#argument(initial & 31)
      while (this.count < count && !(isOpen && this.#body[this.at] === BREAK)) {
        if (!this.#record(this.count) || this.at > this.#end) return false
        this.count++
      }
      if (isOpen) this.at++
      return this.at <= this.#end
    } catch (error) {
      // The view ends where the answer does.
      if (error instanceof RangeError) return false
      throw error
    }
  }

  #record(index: number): boolean {
    if (index === places.size) places = grown(places)
    const { data, partitionKey, sequenceNumber, arrivedMs } = places
    data.starts[index] = 0
    partitionKey.starts[index] = 0
    sequenceNumber.starts[index] = 0
    arrivedMs[index] = Number.NaN
    const view = this.#view
    const initial = view.getUint8(this.at++)
    if (initial >> 5 !== MAP) return false
    const isOpen = (initial & 31) === INDEFINITE
    for (let left = isOpen ? -1 : this.#argument(initial & 31); left !== 0; left--) {
      if (isOpen && this.#body[this.at] === BREAK) {
        this.at++
        break
      }
      const header = view.getUint8(this.at++)
      const length = this.#argument(header & 31)
      const name = this.at
      this.at = name + length
      // Told apart by length, first and last four bytes: no two members of the API agree in these.
      const first = view.getUint32(name)
      const last = view.getUint32(name + length - 4)
      let known = header >> 5 === TEXT
      if (first === DATA && length === 4) known &&= this.#string(BYTES, data, index)
      else if (last === MBER && first === SEQU && length === 14)
        known &&= this.#string(TEXT, sequenceNumber, index)
      else if (last === NKEY && first === PART && length === 12)
        known &&= this.#string(TEXT, partitionKey, index)
      else if (last === TAMP && first === APPR && length === 27) known &&= this.#arrival(arrivedMs, index)
      // Nobody asked how it was encrypted.
      else known &&= last === TYPE && first === ENCR && length === 14 && this.#string(TEXT, ignored, 0)
      if (!known) return false
    }
    if (data.starts[index] === 0 || sequenceNumber.starts[index] === 0) return false
    this.isPlain &&= this.#isPlain(data, sequenceNumber, index)
    return true
  }

  /** A string in one piece. */
  #string(major: number, place: Place, index: number): boolean {
    const initial = this.#view.getUint8(this.at++)
    const length = this.#argument(initial & 31)
    const start = this.at
    const end = start + length
    this.at = end
    place.starts[index] = start
    place.ends[index] = end
    return initial >> 5 === major && end <= this.#end
  }

  /** Whole milliseconds since the epoch, with or without the tag that says so. */
  #arrival(arrivedMs: Float64Array, index: number): boolean {
    let initial = this.#view.getUint8(this.at++)
    if (initial === EPOCH_TAG) initial = this.#view.getUint8(this.at++)
    const ms = this.#argument(initial)
    arrivedMs[index] = ms
    return ms <= Number.MAX_SAFE_INTEGER
  }

  /** What follows a first byte whose upper bits are known to be what they should; NaN for anything but a number. */
  #argument(info: number): number {
    const view = this.#view
    const at = this.at
    if (info < 24) return info
    if (info === 24) {
      this.at = at + 1
      return view.getUint8(at)
    }
    if (info === 25) {
      this.at = at + 2
      return view.getUint16(at)
    }
    if (info === 26) {
      this.at = at + 4
      return view.getUint32(at)
    }
    if (info !== 27) return Number.NaN
    this.at = at + 8
    return view.getUint32(at) * TWO_32 + view.getUint32(at + 4)
  }

  #isPlain(data: Place, sequenceNumber: Place, index: number): boolean {
    const start = data.starts[index]!
    if (data.ends[index]! - start >= 4 && this.#view.getUint32(start) === AGGREGATE) return false
    return index === 0 || this.#rises(sequenceNumber.starts, sequenceNumber.ends, index)
  }

  /** Whether a sequence number is above the one before it; they are decimal numbers without leading zeros. */
  #rises(starts: Int32Array, ends: Int32Array, index: number): boolean {
    const before = starts[index - 1]!
    const here = starts[index]!
    const length = ends[index]! - here
    if (length !== ends[index - 1]! - before) return length > ends[index - 1]! - before
    let i = 0
    for (; i + 4 <= length; i += 4) {
      const difference = this.#view.getUint32(here + i) - this.#view.getUint32(before + i)
      if (difference !== 0) return difference > 0
    }
    for (; i < length; i++) {
      const difference = this.#body[here + i]! - this.#body[before + i]!
      if (difference !== 0) return difference > 0
    }
    return false
  }
}

const DATA = word('Data')
const SEQU = word('Sequ')
const MBER = word('mber')
const PART = word('Part')
const NKEY = word('nKey')
const APPR = word('Appr')
const TAMP = word('tamp')
const ENCR = word('Encr')
const TYPE = word('Type')

function word(text: string): number {
  return Buffer.from(text).readUInt32BE()
}

const ignored = new Place(1)

function grown(full: Places): Places {
  const bigger = new Places(full.size * 2)
  for (const name of ['data', 'partitionKey', 'sequenceNumber'] as const) {
    bigger[name].starts.set(full[name].starts)
    bigger[name].ends.set(full[name].ends)
  }
  bigger.arrivedMs.set(full.arrivedMs)
  return bigger
}

function gathered(body: Buffer, length: number, walk: Walk): StoredRecords {
  const { count } = walk
  const { data, partitionKey, sequenceNumber, arrivedMs } = places
  const needed = bytesOf(partitionKey, count) + bytesOf(sequenceNumber, count)
  const buffer = body.length - length >= needed ? body : withRoom(body, length, needed)
  const sequenceNumbers = column(buffer, sequenceNumber, count, length)
  const partitionKeys = column(buffer, partitionKey, count, length + sequenceNumbers.bytes.length)
  // Keys that are no text have to be mended one by one.
  if (!isUtf8(partitionKeys.bytes)) return spelledOut(body, walk)
  const missing = partitionKey.starts.indexOf(0)
  const block = new RowBlock({
    length: count,
    data: column(buffer, data, count, 0),
    partitionKeys,
    keyless:
      missing >= 0 && missing < count
        ? Uint8Array.from({ length: count }, (_, i) => Number(partitionKey.starts[i] === 0))
        : undefined,
    sequenceNumbers,
    arrivedMs: arrivedMs.slice(0, count),
    arrivedMicros: undefined,
    subSequenceNumbers: undefined,
    body: buffer === body ? new LentBody(buffer, count) : undefined,
  })
  return StoredRecords.plain(block)
}

/** Moves the values of a member together. What lies at `to` and behind must not be needed, but for the values themselves. */
function column(buffer: Uint8Array, { starts, ends }: Place, count: number, to: number): ByteColumn {
  const offsets = new Int32Array(count + 1)
  let at = to
  for (let i = 0; i < count; i++) {
    const start = starts[i]!
    if (start !== 0) {
      const end = ends[i]!
      // Many times faster than `set` of a view: nothing is allocated.
      buffer.copyWithin(at, start, end)
      at += end - start
    }
    offsets[i + 1] = at - to
  }
  return { bytes: buffer.subarray(to, at), offsets }
}

function bytesOf({ starts, ends }: Place, count: number): number {
  let bytes = 0
  for (let i = 0; i < count; i++) if (starts[i] !== 0) bytes += ends[i]! - starts[i]!
  return bytes
}

function withRoom(body: Buffer, length: number, more: number): Buffer {
  const roomy = Buffer.allocUnsafeSlow(length + more)
  roomy.set(body.subarray(0, length))
  return roomy
}

function spelledOut(body: Uint8Array, { count }: Walk): StoredRecords {
  const { data, partitionKey, sequenceNumber, arrivedMs } = places
  const slice = ({ starts, ends }: Place, i: number): Uint8Array => body.subarray(starts[i], ends[i])
  const records = Array.from({ length: count }, (_, i): StoredRecord => {
    const arrived = arrivedMs[i]!
    return {
      sequenceNumber: utf8.decode(slice(sequenceNumber, i)),
      partitionKey: partitionKey.starts[i] === 0 ? undefined : utf8.decode(slice(partitionKey, i)),
      data: slice(data, i),
      arrivedMs: Number.isNaN(arrived) ? undefined : arrived,
    }
  })
  return StoredRecords.of(records)
}

const utf8 = new TextDecoder()
