import { type Code, forEver, i32, i64, jumpIf, steps, v128, when } from '../wasm/assembler.ts'
import type { Frame, Reading } from './frame.ts'
import {
  byteAt,
  DOT,
  isByte,
  isOneOf,
  MINUS,
  must,
  PLUS,
  pass,
  passByte,
  passDigits,
  QUOTE,
  SPACE,
  ZERO,
} from './spelling.ts'

const MICROS = {
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
  day: 86_400_000_000n,
} as const
const T = 0x54
const Z = 0x5a
/** Digits of a fraction of a second that is kept. */
const MICRO_DIGITS = 6
/** DuckDB takes time zones beyond it, but there are none. */
const MOST_ZONE_HOURS = 14

/**
 * Sees to it that what follows `start` is spelled like a pattern of no more than 16 bytes, where `0` stands for a digit and
 * `?` for anything.
 */
function mustMatch({ start, chunk }: Frame, pattern: string, offset: number, leave: Code): Code {
  const bytes = [...pattern.padEnd(16, '?')]
  const least = bytes.map((each) => (each === '?' ? 0 : each.charCodeAt(0)))
  // Bytes from the least on, so many of them.
  const room = bytes.map((each) => (each === '?' ? 0xff : each === '0' ? 10 : 1))
  const wanted = bytes.reduce((bits, each, index) => (each === '?' ? bits : bits | (1 << index)), 0)
  const fitting = v128.bits(v128.below(v128.minus(chunk.get, v128.of(least)), v128.of(room)))
  return steps(
    chunk.set(v128.load(start.get, offset)),
    when(i32.differ(i32.and(fitting, i32.of(wanted)), i32.of(wanted)), leave),
  )
}

/** Two bytes that are known to be digits, as a number. */
function two({ start }: Frame, offset: number): Code {
  const tens = i32.times(i32.load8(start.get, offset), i32.of(10))
  return i32.minus(i32.plus(tens, i32.load8(start.get, offset + 1)), i32.of(ZERO * 11))
}

/** Days since the epoch of `year`, `month` and `day`, into `day`. */
function toDays({ year, month, day }: Frame, leave: Code): Code {
  const overYear = (by: number): Code => i32.over(year.get, i32.of(by))
  const isMultiple = (of: number): Code => i32.equal(i32.times(overYear(of), i32.of(of)), year.get)
  const isLeap = i32.and(isMultiple(4), i32.or(i32.isZero(isMultiple(100)), isMultiple(400)))
  const isLong = i32.and(i32.plus(month.get, i32.shiftRight(month.get, i32.of(3))), i32.of(1))
  const lastDay = i32.plus(i32.of(30), isLong)
  // Counted from March on, the day that some years have more comes last.
  const isBeforeMarch = i32.atMost(month.get, i32.of(2))
  const fromMarch = i32.plus(month.get, i32.minus(i32.times(isBeforeMarch, i32.of(12)), i32.of(3)))
  return steps(
    must(year.get, leave),
    when(i32.above(i32.minus(month.get, i32.of(1)), i32.of(11)), leave),
    must(day.get, leave),
    when(
      i32.above(day.get, i32.of(28)),
      when(
        isByte(month.get, 2),
        when(i32.above(day.get, i32.plus(i32.of(28), isLeap)), leave),
        when(i32.above(day.get, lastDay), leave),
      ),
    ),
    day.add(i32.over(i32.plus(i32.times(fromMarch, i32.of(153)), i32.of(2)), i32.of(5))),
    year.set(i32.minus(year.get, isBeforeMarch)),
    day.add(i32.times(year.get, i32.of(365))),
    day.add(overYear(4)),
    day.set(i32.minus(day.get, overYear(100))),
    day.add(overYear(400)),
    // Days from the first of March of the year 0 on, beginning with 1.
    day.add(i32.of(-719_469)),
  )
}

/** The date at `start`, known to be digits where it takes them, as days. */
function days(frame: Frame, leave: Code): Code {
  const { year, month, day } = frame
  return steps(
    year.set(i32.plus(i32.times(two(frame, 0), i32.of(100)), two(frame, 2))),
    month.set(two(frame, 5)),
    day.set(two(frame, 8)),
    toDays(frame, leave),
  )
}

/** `"2024-01-31"`, into `day`. */
export const date: Reading = (frame, leave) => {
  const { at, start } = frame
  return steps(
    passByte(at, QUOTE, leave),
    start.set(at.get),
    mustMatch(frame, '0000-00-00', 0, leave),
    pass(at, 10),
    passByte(at, QUOTE, leave),
    days(frame, leave),
  )
}

/** `"2024-01-31T23:59:59.123Z"`, with or without the fraction and the offset, or with another one; into `number`. */
export const timestamp: Reading = (frame, leave) => {
  const { at, start, length, number, part, digit, day, isNegative } = frame
  const mustBeAtMost = (offset: number, most: number): Code =>
    when(i32.above(two(frame, offset), i32.of(most)), leave)
  const micros = (offset: number, unit: bigint): Code =>
    i64.times(i64.ofWord(two(frame, offset)), i64.of(unit))
  const sum = (...parts: readonly Code[]): Code => parts.reduce((a, b) => i64.plus(a, b))
  const fraction = steps(
    pass(at),
    start.set(at.get),
    part.set(i64.of(0n)),
    passDigits(at, digit, part),
    length.set(i32.minus(at.get, start.get)),
    // No digit at all wraps around.
    when(i32.above(i32.minus(length.get, i32.of(1)), i32.of(MICRO_DIGITS - 1)), leave),
    forEver((out) =>
      steps(
        jumpIf(out, isByte(length.get, MICRO_DIGITS)),
        part.set(i64.times(part.get, i64.of(10n))),
        length.add(i32.of(1)),
      ),
    ),
    number.set(i64.plus(number.get, part.get)),
  )
  const offset = steps(
    must(isOneOf(byteAt(at), [PLUS, MINUS]), leave),
    isNegative.set(isByte(byteAt(at), MINUS)),
    pass(at),
    start.set(at.get),
    mustMatch(frame, '00:00', 0, leave),
    mustBeAtMost(0, MOST_ZONE_HOURS),
    mustBeAtMost(3, 59),
    part.set(sum(micros(0, MICROS.hour), micros(3, MICROS.minute))),
    // East of Greenwich it is later than there.
    number.set(i64.minus(number.get, part.get)),
    when(isNegative.get, number.set(sum(number.get, part.get, part.get))),
    pass(at, 5),
  )
  return steps(
    passByte(at, QUOTE, leave),
    start.set(at.get),
    mustMatch(frame, '0000-00-00?00:00', 0, leave),
    must(isOneOf(i32.load8(start.get, 10), [T, SPACE]), leave),
    mustMatch(frame, ':00', 16, leave),
    mustBeAtMost(11, 23),
    mustBeAtMost(14, 59),
    mustBeAtMost(17, 59),
    days(frame, leave),
    number.set(
      sum(
        i64.times(i64.ofSignedWord(day.get), i64.of(MICROS.day)),
        micros(11, MICROS.hour),
        micros(14, MICROS.minute),
        micros(17, MICROS.second),
      ),
    ),
    pass(at, 19),
    when(isByte(byteAt(at), DOT), fraction),
    when(isByte(byteAt(at), Z), pass(at), must(isByte(byteAt(at), QUOTE), offset)),
    passByte(at, QUOTE, leave),
  )
}
