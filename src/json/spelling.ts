import {
  type Code,
  forEver,
  i32,
  i64,
  jump,
  jumpIf,
  steps,
  type Variable,
  v128,
  when,
} from '../wasm/assembler.ts'

/** Bytes of JSON that mean something. */
export const QUOTE = 0x22
export const PLUS = 0x2b
export const COMMA = 0x2c
export const MINUS = 0x2d
export const DOT = 0x2e
export const ZERO = 0x30
export const COLON = 0x3a
export const OPEN_LIST = 0x5b
export const ESCAPE = 0x5c
export const CLOSE_LIST = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
/** No byte below it stands in a string. */
export const SPACE = 0x20
export const BLANKS = [SPACE, 0x0a, 0x0d, 0x09]

/** Digits of a whole number that is sure to fit 63 bits. */
export const MOST_DIGITS = 18

export const byteAt = (at: Variable, offset = 0): Code => i32.load8(at.get, offset)
export const isByte = (value: Code, byte: number): Code => i32.equal(value, i32.of(byte))
export const isOneOf = (value: Code, bytes: readonly number[]): Code =>
  bytes.map((byte) => isByte(value, byte)).reduce((a, b) => i32.or(a, b))
export const pass = (at: Variable, bytes = 1): Code => at.add(i32.of(bytes))
/** Sees to it that a condition holds. */
export const must = (condition: Code, otherwise: Code): Code => when(i32.isZero(condition), otherwise)
export const passByte = (at: Variable, byte: number, otherwise: Code): Code =>
  steps(must(isByte(byteAt(at), byte), otherwise), pass(at))

const isWord = (at: Variable, text: string, offset = 0): Code =>
  i32.equal(i32.load(at.get, offset), i32.of(Buffer.from(text, 'latin1').readInt32LE()))
export const isTrue = (at: Variable): Code => isWord(at, 'true')
export const isNull = (at: Variable): Code => isWord(at, 'null')
export const isFalse = (at: Variable): Code => i32.and(isWord(at, 'fals'), isWord(at, 'alse', 1))

export function passBlanks(at: Variable, otherwise: Code): Code {
  const isBlankOrLess = i32.atMost(byteAt(at), i32.of(SPACE))
  return when(
    isBlankOrLess,
    forEver((out) =>
      steps(must(isOneOf(byteAt(at), BLANKS), otherwise), pass(at), jumpIf(out, i32.isZero(isBlankOrLess))),
    ),
  )
}

/** What a look at text takes. */
export interface Look {
  readonly chunk: Variable
  readonly stops: Variable
  /** All bytes that were looked at, put together. */
  readonly seen: Variable
}

/** Bytes that end a run of text: quotes, escapes, and what may not stand in a string. */
export function isNoText(chunk: Variable): Code {
  const is = (byte: number) => v128.equal(chunk.get, v128.all(i32.of(byte)))
  return v128.or(v128.or(is(QUOTE), is(ESCAPE)), v128.below(chunk.get, v128.all(i32.of(SPACE))))
}

/** To the first byte that ends a run of text. Looks at 16 bytes at a time. */
export function passText(at: Variable, { chunk, stops, seen }: Look): Code {
  return forEver((out, again) =>
    steps(
      chunk.set(v128.load(at.get)),
      stops.set(v128.bits(isNoText(chunk))),
      seen.set(v128.or(seen.get, chunk.get)),
      when(i32.isZero(stops.get), steps(pass(at, 16), jump(again))),
      at.add(i32.trailingZeros(stops.get)),
      jump(out),
    ),
  )
}

/**
 * Four hexadecimal digits, as the number of a character. What is no whole character is for somebody else to tell: halves
 * of one, and NUL.
 */
export function passHex(at: Variable, character: Variable, digit: Variable, otherwise: Code): Code {
  const isHalf = isByte(i32.and(character.get, i32.of(0xf800)), 0xd800)
  const next = steps(
    digit.set(i32.minus(byteAt(at), i32.of(ZERO))),
    when(
      i32.above(digit.get, i32.of(9)),
      steps(
        digit.set(i32.minus(i32.or(byteAt(at), i32.of(0x20)), i32.of(0x61))),
        when(i32.above(digit.get, i32.of(5)), otherwise),
        digit.add(i32.of(10)),
      ),
    ),
    character.set(i32.or(i32.shiftLeft(character.get, i32.of(4)), digit.get)),
    pass(at),
  )
  return steps(
    character.set(i32.of(0)),
    next,
    next,
    next,
    next,
    when(i32.or(isHalf, i32.isZero(character.get)), otherwise),
  )
}

/** Puts the value of digits behind those of `number`; a number of too many wraps around. */
export function passDigits(at: Variable, digit: Variable, number: Variable): Code {
  return forEver((out) =>
    steps(
      digit.set(i32.minus(byteAt(at), i32.of(ZERO))),
      jumpIf(out, i32.above(digit.get, i32.of(9))),
      number.set(i64.plus(i64.times(number.get, i64.of(10n)), i64.ofWord(digit.get))),
      pass(at),
    ),
  )
}
