import duckdb from '@duckdb/node-bindings'
import type { ReadTexts } from './row-reader.ts'

/**
 * The layout of `duckdb_string_t`, as duckdb.h publishes it: 16 bytes, beginning with the length as 32 bits. Up to
 * 12 bytes of text follow in place, padded with zeros; of longer text its first four bytes and a pointer to it.
 */
const WORDS = 4
const INLINED = 12
const TWO_32 = 2 ** 32

/** Used and left again within a call; as large as the largest so far. */
let structs = new Uint32Array(2048 * WORDS)

/**
 * Fills a VARCHAR or BLOB vector with consecutive values of an Arrow column without a call per value: their bytes go
 * into the vector's own heap at once, and the structs are written here to point at them. The heap belongs to the
 * vector, so no struct can outlive what it points to, and no memory of JavaScript is ever pointed at.
 *
 * Row `at + i` of the vector becomes `bytes[offsets[start + i] .. offsets[start + i + 1]]`.
 *
 * @returns false when nothing was written and the values have to be assigned one by one: the layout is not the one
 * known here, there is too little text for a heap, or a VARCHAR is not UTF-8
 */
export function writeStrings(
  vector: duckdb.Vector,
  bytes: Uint8Array,
  offsets: Int32Array,
  start: number,
  rows: number,
  isText: boolean,
  at = 0,
): boolean {
  return layoutHolds() && write(vector, bytes, offsets, start, rows, isText, at)
}

function write(
  vector: duckdb.Vector,
  bytes: Uint8Array,
  offsets: Int32Array,
  start: number,
  rows: number,
  isText: boolean,
  target: number,
): boolean {
  const from = offsets[start]!
  const length = offsets[start + rows]! - from
  if (length <= INLINED || (isText && cutsCharacters(bytes, offsets, start, rows))) return false
  const heap = heapIn(vector, target, bytes.subarray(from, from + length))
  if (!heap) return false
  const { low, high } = heap
  if (structs.length < rows * WORDS) structs = new Uint32Array(rows * WORDS)
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let row = 0, word = 0; row < rows; row++, word += WORDS) {
    const at = offsets[start + row]!
    const size = offsets[start + row + 1]! - at
    structs[word] = size
    if (size > INLINED) {
      const address = low + (at - from)
      structs[word + 1] = source.getUint32(at, true)
      structs[word + 2] = address
      structs[word + 3] = address < TWO_32 ? high : high + 1
    } else {
      structs[word + 1] = inlined(bytes, at, size, 0)
      structs[word + 2] = inlined(bytes, at, size, 4)
      structs[word + 3] = inlined(bytes, at, size, 8)
    }
  }
  duckdb.copy_data_to_vector(vector, target * WORDS * 4, structs.buffer, 0, rows * WORDS * 4)
  return true
}

/** Where DuckDB keeps a text, 32 bits of the address each. */
interface HeapAddress {
  readonly low: number
  readonly high: number
}

/**
 * Puts the bytes of many values into a vector's own heap at once, by way of the value of one row, which is to be written
 * again.
 *
 * @param bytes more of them than a struct has room for
 * @returns undefined when they are to be a VARCHAR's and are no UTF-8
 */
function heapIn(vector: duckdb.Vector, row: number, bytes: Uint8Array): HeapAddress | undefined {
  // Checks all values at once; when they are no UTF-8, the row becomes NULL and has no pointer.
  duckdb.vector_assign_string_element_len(vector, row, bytes)
  const first = row * WORDS * 4
  const head = duckdb.vector_get_data(vector, first + WORDS * 4)
  const view = new DataView(head.buffer, head.byteOffset + first, WORDS * 4)
  if (view.getUint32(0, true) !== bytes.length) return undefined
  return { low: view.getUint32(8, true), high: view.getUint32(12, true) }
}

/** Four bytes of a short value, from its byte `first` on, padded with zeros. */
function inlined(bytes: Uint8Array, at: number, size: number, first: number): number {
  let word = 0
  for (let i = Math.min(size, first + 4) - 1; i >= first; i--) word = (word << 8) | bytes[at + i]!
  return word
}

/** Whether a value begins in the middle of a UTF-8 character: together the values are text, one by one they are not. */
function cutsCharacters(bytes: Uint8Array, offsets: Int32Array, start: number, rows: number): boolean {
  const end = offsets[start + rows]!
  for (let row = start; row < start + rows; row++) {
    const at = offsets[row]!
    if (at < end && (bytes[at]! & 0xc0) === 0x80) return true
  }
  return false
}

/** Nothing points there. */
const NOWHERE: HeapAddress = { low: 0, high: 0 }

/** Fills a VARCHAR or BLOB vector from row `at` on with what was read. */
export function writeTexts(vector: duckdb.Vector, structs: Uint8Array, texts: ReadTexts, at: number): void {
  const { heap } = texts
  const address = layoutHolds() && (heap.length === 0 ? NOWHERE : heapIn(vector, at, heap))
  if (address) {
    const { buffer, byteOffset, length } = address === NOWHERE ? structs : texts.pointed(address)
    duckdb.copy_data_to_vector(vector, at * WORDS * 4, buffer as ArrayBuffer, byteOffset, length)
    return
  }
  const view = new DataView(structs.buffer, structs.byteOffset, structs.length)
  for (let from = 0, row = at; from < structs.length; from += WORDS * 4, row++) {
    const length = view.getUint32(from, true)
    const [bytes, start] = length > INLINED ? [heap, view.getUint32(from + 8, true)] : [structs, from + 4]
    duckdb.vector_assign_string_element_len(vector, row, bytes.subarray(start, start + length))
  }
}

let holds: boolean | undefined

/** Whether structs may be written by hand. Tried once, on a vector that nothing else reads: what is written by hand must read back as DuckDB reads it. */
function layoutHolds(): boolean {
  holds ??= tryLayout()
  return holds
}

const SAMPLES = ['a text that is too long for its struct', '', 'twelve bytes', 'thirteen byte', 'x']

function tryLayout(): boolean {
  const bytes = Buffer.from(SAMPLES.join(''))
  const offsets = new Int32Array(SAMPLES.length + 1)
  for (const [row, sample] of SAMPLES.entries()) offsets[row + 1] = offsets[row]! + sample.length
  const type = duckdb.create_logical_type(duckdb.Type.VARCHAR)
  const [mine, theirs] = [duckdb.create_data_chunk([type]), duckdb.create_data_chunk([type])]
  const vector = duckdb.data_chunk_get_vector(mine, 0)
  if (!write(vector, bytes, offsets, 0, SAMPLES.length, true, 0)) return false
  const assigned = duckdb.data_chunk_get_vector(theirs, 0)
  for (const [row, sample] of SAMPLES.entries()) duckdb.vector_assign_string_element(assigned, row, sample)
  const [a, b] = [structsOf(vector), structsOf(assigned)]
  return SAMPLES.every((sample, row) => {
    const at = row * WORDS * 4
    const inPlace = sample.length > INLINED ? 8 : WORDS * 4
    if (!a.subarray(at, at + inPlace).equals(b.subarray(at, at + inPlace))) return false
    if (sample.length <= INLINED) return true
    const pointed = duckdb.get_data_from_pointer(
      a.buffer as ArrayBuffer,
      a.byteOffset + at + 8,
      sample.length,
    )
    return Buffer.from(pointed).toString() === sample
  })
}

function structsOf(vector: duckdb.Vector): Buffer {
  const structs = duckdb.vector_get_data(vector, SAMPLES.length * WORDS * 4)
  return Buffer.from(structs.buffer, structs.byteOffset, structs.byteLength)
}
