import {
  block,
  type Code,
  callAt,
  copyMemory,
  f64,
  fillMemory,
  forEver,
  globalAt,
  i32,
  i64,
  jump,
  jumpIf,
  type Label,
  steps,
  type Variable,
  v128,
  type WasmFunction,
  wasmFunction,
  wasmModule,
  when,
} from '../wasm/assembler.ts'
import type { Frame } from './frame.ts'
import type { ColumnPlace, Layout } from './layout.ts'
import { MOST_ROWS } from './layout.ts'
import type { PlainField, PlainKind } from './plain-field.ts'
import { STRUCT_BYTES } from './plain-field.ts'
import { date, timestamp } from './plain-moment.ts'
import { decimal, double, doubleValue, integer } from './plain-number.ts'
import { skipValue } from './skip-value.ts'
import {
  BLANKS,
  byteAt,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  ESCAPE,
  isByte,
  isFalse,
  isNull,
  isOneOf,
  isTrue,
  must,
  OPEN_OBJECT,
  pass,
  passBlanks,
  passByte,
  passText,
  QUOTE,
} from './spelling.ts'
import { INLINED, POINTER_AT, storeText } from './store-text.ts'
import { unescapeText } from './unescape-text.ts'

/** What the program of `readProgram` offers, beside a global number `heap0`, `heap1` … for each column. */
export interface ReadExports {
  /**
   * Reads the first `rows` records of its memory into the columns of its layout. A record about which anything is unusual
   * is not read: it is NULL in all of them, and stands in the column of unread records.
   *
   * @returns how many were not read
   */
  read(rows: number): number
  /**
   * Copies structs, and makes those of long texts point to their heap, wherever that has been copied to.
   *
   * @param low the lower 32 bits of its address
   */
  point(structs: number, rows: number, to: number, low: number, high: number): number
  /** Of the columns that have a NULL, a bit each. */
  readonly nulls: { readonly value: number }
  /** 1 when there are bytes outside of ASCII: whether they are UTF-8 is for somebody else to tell. */
  readonly isWide: { readonly value: number }
}

const SKIP = 0
const UNESCAPE = 1
const nulls = globalAt(0)
const isWide = globalAt(1)
const unescapedEnd = globalAt(2)
const heapBytes = (column: number) => globalAt(3 + column)

/** Bytes in the heap of a column, if it has one; that of unread records comes last. */
export const heapName = (column: number): `heap${number}` => `heap${column}`

/**
 * The program for objects of these fields.
 *
 * A record is plain when it is JSON with one value at most for each field, spelled as the field's kind has it. Such
 * values are the same however they are read; whatever might be read in two ways is left to DuckDB.
 *
 * Records are read without looking for their end first. One that does not end where it should runs into the next, or into
 * zeros behind the last, which no text goes past; it is then not plain.
 */
export function readProgram(fields: readonly PlainField[], layout: Layout): Uint8Array<ArrayBuffer> {
  const heaps = [...fields, undefined].map((_, column) => heapName(column))
  const functions = [skipValue(SKIP, isWide), unescapeText(unescapedEnd), read(fields, layout), point]
  return wasmModule(functions, ['nulls', 'isWide', 'unescapedEnd', ...heaps])
}

function read(fields: readonly PlainField[], layout: Layout): WasmFunction {
  const { columns, unread } = layout
  return wasmFunction('read', ['i32'], ([rows], declare) => {
    const frame = frameOf(declare)
    const { row, at, end, start, length, chunk, seen, stops } = frame
    const [met, present, left, copied] = [declare('i32'), declare('i32'), declare('i32'), declare('i32')]
    const used = [...columns, unread].map((column) => (column?.heap ? declare('i32') : undefined))
    const look = { chunk, stops, seen }
    const all = 2 ** fields.length - 1
    const bitOf = (index: number): Code => i32.of(1 << index)
    const startOf = (index: number): Code =>
      i32.plus(
        i32.load(i32.plus(i32.shiftLeft(row.get, i32.of(2)), i32.of(layout.offsets)), index * 4),
        i32.of(layout.records),
      )

    /** `start` and `length` are of what stands between two quotes. */
    const text = (leave: Code, escaped: Code = steps()): Code =>
      steps(
        passByte(at, QUOTE, leave),
        start.set(at.get),
        passText(at, look),
        length.set(i32.minus(at.get, start.get)),
        escaped,
        passByte(at, QUOTE, leave),
      )
    const textWithEscapes = (leave: Code): Code =>
      text(
        leave,
        when(
          isByte(byteAt(at), ESCAPE),
          steps(
            copyMemory(i32.of(layout.unescaped), start.get, length.get),
            at.set(callAt(UNESCAPE)(at.get, i32.plus(length.get, i32.of(layout.unescaped)))),
            must(at.get, leave),
            start.set(i32.of(layout.unescaped)),
            length.set(i32.minus(unescapedEnd.get, start.get)),
          ),
        ),
      )
    const other = (leave: Code): Code => steps(at.set(callAt(SKIP)(at.get, i32.of(0))), must(at.get, leave))
    /** Within the record: one that is open may go on for a while, and more would be kept of it than there is room for. */
    const anyValue = (leave: Code): Code =>
      steps(
        start.set(at.get),
        other(leave),
        when(i32.above(at.get, end.get), leave),
        length.set(i32.minus(at.get, start.get)),
      )
    const value = (index: number, leave: Code): Code => {
      const { as } = fields[index]!
      const column = columns[index]
      const here = column ? placeOf(column, row) : undefined
      const keep = () => (column ? storeText(frame, column, used[index]!, copied) : steps())
      if (as.kind === 'text') return steps(textWithEscapes(leave), keep())
      if (as.kind === 'json') return steps(anyValue(leave), keep())
      return plainValue(as, frame, here, layout.powersOfTen, leave)
    }
    const field = (index: number, leave: Code): Code =>
      steps(
        // Of a key that comes twice the first counts, but it may be NULL.
        when(i32.and(met.get, bitOf(index)), leave),
        met.set(i32.or(met.get, bitOf(index))),
        when(
          isNull(at),
          pass(at, 4),
          steps(value(index, leave), present.set(i32.or(present.get, bitOf(index)))),
        ),
      )
    const member = (leave: Code): Code =>
      steps(
        text(leave),
        passBlanks(at, leave),
        passByte(at, COLON, leave),
        passBlanks(at, leave),
        block((done) =>
          steps(
            ...fields.map(({ name }, index) =>
              when(isName(name, start, length), steps(field(index, leave), jump(done))),
            ),
            other(leave),
          ),
        ),
        when(i32.above(at.get, end.get), leave),
      )
    const members = (leave: Code): Code =>
      forEver((out, again) =>
        steps(
          member(leave),
          passBlanks(at, leave),
          when(isByte(byteAt(at), COMMA), steps(pass(at), passBlanks(at, leave), jump(again))),
          passByte(at, CLOSE_OBJECT, leave),
          jump(out),
        ),
      )
    // What stands behind the record is another, which may begin with blanks.
    const blanksUpToEnd = (leave: Code): Code =>
      forEver((out) =>
        steps(jumpIf(out, i32.atLeast(at.get, end.get)), must(isOneOf(byteAt(at), BLANKS), leave), pass(at)),
      )
    const setNull = (column: ColumnPlace): Code =>
      steps(flipValidity(column, row), column.heap ? v128.store(placeOf(column, row), NOTHING) : steps())
    const absent = when(
      i32.differ(present.get, i32.of(all)),
      steps(
        nulls.set(i32.or(nulls.get, i32.xor(present.get, i32.of(all)))),
        ...columns.map((column, index) =>
          column ? when(i32.isZero(i32.and(present.get, bitOf(index))), setNull(column)) : steps(),
        ),
      ),
    )
    const record = (leave: Code): Code =>
      steps(
        passBlanks(at, leave),
        passByte(at, OPEN_OBJECT, leave),
        passBlanks(at, leave),
        when(isByte(byteAt(at), CLOSE_OBJECT), pass(at), members(leave)),
        blanksUpToEnd(leave),
        when(i32.differ(at.get, end.get), leave),
        absent,
      )
    const leaveUnread = steps(
      left.add(i32.of(1)),
      nulls.set(i32.of(all)),
      ...columns.map((column) => (column ? setNull(column) : steps())),
      flipValidity(unread, row),
      start.set(startOf(0)),
      length.set(i32.minus(end.get, start.get)),
      storeText(frame, unread, used.at(-1)!, copied),
    )
    const validFrom = ({ validity }: ColumnPlace, byte: number): Code =>
      fillMemory(i32.of(validity), i32.of(byte), i32.of(MOST_ROWS / 8))
    return steps(
      nulls.set(i32.of(0)),
      isWide.set(i32.of(0)),
      ...columns.map((column) => (column ? validFrom(column, 0xff) : steps())),
      validFrom(unread, 0),
      fillMemory(i32.of(unread.values), i32.of(0), i32.times(rows.get, i32.of(STRUCT_BYTES))),
      forEver((out) =>
        steps(
          jumpIf(out, i32.equal(row.get, rows.get)),
          at.set(startOf(0)),
          end.set(startOf(1)),
          met.set(i32.of(0)),
          present.set(i32.of(0)),
          block((done) =>
            steps(
              block((outside: Label) => steps(record(jump(outside)), jump(done))),
              leaveUnread,
            ),
          ),
          row.add(i32.of(1)),
        ),
      ),
      when(v128.bits(seen.get), isWide.set(i32.of(1))),
      ...used.map((each, column) => (each ? heapBytes(column).set(each.get) : steps())),
      left.get,
    )
  })
}

function frameOf(declare: (type: 'i32' | 'i64' | 'v128') => Variable): Frame {
  const word = (): Variable => declare('i32')
  return {
    row: word(),
    at: word(),
    end: word(),
    start: word(),
    length: word(),
    number: declare('i64'),
    part: declare('i64'),
    isNegative: word(),
    digit: word(),
    places: word(),
    year: word(),
    month: word(),
    day: word(),
    chunk: declare('v128'),
    stops: word(),
    seen: declare('v128'),
  }
}

const NOTHING = v128.all(i32.of(0))

/** Reads a value that is no text and puts it `here`, if it is wanted. */
function plainValue(
  as: Exclude<PlainKind, { kind: 'text' | 'json' }>,
  frame: Frame,
  here: Code | undefined,
  powersOfTen: number,
  leave: Code,
): Code {
  const { at, number, day } = frame
  const put = (store: (here: Code) => Code): Code => (here ? store(here) : steps())
  const putNumber = (bytes: 1 | 2 | 4 | 8): Code =>
    put((to) => (bytes === 8 ? i64.store(to, number.get) : STORES[bytes](to, i32.ofLong(number.get))))
  switch (as.kind) {
    case 'boolean':
      return steps(
        must(i32.or(isTrue(at), isFalse(at)), leave),
        put((to) => i32.store8(to, isTrue(at))),
        at.add(i32.plus(i32.of(4), isFalse(at))),
      )
    case 'integer':
      return steps(integer(...boundsOf(as))(frame, leave), putNumber(as.bytes))
    case 'decimal':
      return steps(decimal(as.width, as.scale)(frame, leave), putNumber(as.bytes))
    case 'double':
      return steps(
        double(frame, leave),
        put((to) => f64.store(to, doubleValue(frame, powersOfTen))),
      )
    case 'date':
      return steps(
        date(frame, leave),
        put((to) => i32.store(to, day.get)),
      )
    case 'timestamp':
      return steps(timestamp(frame, leave), putNumber(8))
    case 'epoch':
      return steps(
        integer(BigInt(as.least), BigInt(as.greatest))(frame, leave),
        number.set(i64.times(number.get, i64.of(BigInt(as.microsPerUnit)))),
        putNumber(8),
      )
  }
}

function boundsOf({ bytes, isSigned }: Extract<PlainKind, { kind: 'integer' }>): [bigint, bigint] {
  const values = 2n ** BigInt(8 * bytes)
  return isSigned ? [-values / 2n, values / 2n - 1n] : [0n, values - 1n]
}

const STORES = { 1: i32.store8, 2: i32.store16, 4: i32.store } as const

function placeOf({ values, width }: ColumnPlace, row: Variable): Code {
  return i32.plus(i32.times(row.get, i32.of(width)), i32.of(values))
}

function flipValidity({ validity }: ColumnPlace, row: Variable): Code {
  const byte = i32.plus(i32.shiftRight(row.get, i32.of(3)), i32.of(validity))
  const bit = i32.shiftLeft(i32.of(1), i32.and(row.get, i32.of(7)))
  return i32.store8(byte, i32.xor(i32.load8(byte), bit))
}

const EIGHT = 8

/** Compares eight bytes at a time, the last of them with those before; behind a shorter name stands more, which is masked. */
function isName(name: string, start: Variable, length: Variable): Code {
  const bytes = Buffer.from(name)
  const wordAt = (first: number): bigint => Buffer.concat([bytes, Buffer.alloc(EIGHT)]).readBigInt64LE(first)
  const firsts = Array.from({ length: Math.ceil(bytes.length / EIGHT) }, (_, index) =>
    Math.max(0, Math.min(index * EIGHT, bytes.length - EIGHT)),
  )
  const mask = (1n << BigInt(EIGHT * Math.min(EIGHT, bytes.length))) - 1n
  return firsts.reduce(
    (condition, first) =>
      i32.and(condition, i64.equal(i64.and(i64.load(start.get, first), i64.of(mask)), i64.of(wordAt(first)))),
    i32.equal(length.get, i32.of(bytes.length)),
  )
}

const point = wasmFunction(
  'point',
  ['i32', 'i32', 'i32', 'i32', 'i32'],
  ([from, rows, to, low, high], declare) => {
    const address = declare('i64')
    return steps(
      address.set(i64.or(i64.shiftLeft(i64.ofWord(high.get), i64.of(32n)), i64.ofWord(low.get))),
      forEver((out) =>
        steps(
          jumpIf(out, i32.isZero(rows.get)),
          v128.store(to.get, v128.load(from.get)),
          when(
            i32.above(i32.load(from.get), i32.of(INLINED)),
            i64.store(to.get, i64.plus(i64.load(from.get, POINTER_AT), address.get), POINTER_AT),
          ),
          from.add(i32.of(STRUCT_BYTES)),
          to.add(i32.of(STRUCT_BYTES)),
          rows.add(i32.of(-1)),
        ),
      ),
      to.get,
    )
  },
)
