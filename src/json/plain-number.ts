import { type Code, f64, forEver, i32, i64, jumpIf, steps, when } from '../wasm/assembler.ts'
import type { Frame, Reading } from './frame.ts'
import { MOST_POWER } from './layout.ts'
import { byteAt, DOT, isByte, MINUS, MOST_DIGITS, must, pass, passDigits, ZERO } from './spelling.ts'

/** Whole numbers up to here are doubles exactly. */
const MOST_EXACT = 2n ** 53n
/** DuckDB reads a number with a fraction as a double, which keeps so many digits for certain. */
const DOUBLE_DIGITS = 15

/** A sign, and digits without zeros before them; `-0` is for somebody else to tell. */
const whole: Reading = ({ at, start, length, number, isNegative, digit }, leave) =>
  steps(
    isNegative.set(isByte(byteAt(at), MINUS)),
    at.add(isNegative.get),
    start.set(at.get),
    number.set(i64.of(0n)),
    passDigits(at, digit, number),
    length.set(i32.minus(at.get, start.get)),
    // No digit at all wraps around.
    when(i32.above(i32.minus(length.get, i32.of(1)), i32.of(MOST_DIGITS - 1)), leave),
    when(isByte(byteAt(start), ZERO), when(i32.above(length.get, i32.of(1)), leave)),
  )

/** The digits behind a point, if there is one, come behind those of `number`. */
const fraction = ({ at, start, length, number, digit, places }: Frame, digits: number, leave: Code): Code =>
  steps(
    places.set(i32.of(0)),
    when(
      isByte(byteAt(at), DOT),
      steps(
        pass(at),
        start.set(at.get),
        passDigits(at, digit, number),
        places.set(i32.minus(at.get, start.get)),
        must(places.get, leave),
      ),
    ),
    when(i32.above(i32.plus(length.get, places.get), i32.of(digits)), leave),
  )

const signed = ({ number, isNegative }: Frame, leave: Code): Code =>
  when(
    isNegative.get,
    steps(when(i64.isZero(number.get), leave), number.set(i64.minus(i64.of(0n), number.get))),
  )

export const integer =
  (least: bigint, greatest: bigint): Reading =>
  (frame, leave) => {
    // What no number of so many digits comes to is no bound.
    const most = 10n ** BigInt(MOST_DIGITS)
    const [low, high] = [least < -most ? -most : least, greatest > most ? most : greatest]
    const aboveLow = i64.minus(frame.number.get, i64.of(low))
    return steps(
      whole(frame, leave),
      signed(frame, leave),
      when(i64.above(aboveLow, i64.of(high - low)), leave),
    )
  }

export const decimal =
  (width: number, scale: number): Reading =>
  (frame, leave) => {
    const { number, places } = frame
    const isTooMuch = i64.above(number.get, i64.of(10n ** BigInt(width) - 1n))
    return steps(
      whole(frame, leave),
      fraction(frame, DOUBLE_DIGITS, leave),
      when(i32.above(places.get, i32.of(scale)), leave),
      forEver((out) =>
        steps(
          when(isTooMuch, leave),
          jumpIf(out, i32.equal(places.get, i32.of(scale))),
          number.set(i64.times(number.get, i64.of(10n))),
          places.add(i32.of(1)),
        ),
      ),
      signed(frame, leave),
    )
  }

/** Number and power of ten are doubles exactly, so that their quotient is the double which is nearest. */
export const double: Reading = (frame, leave) =>
  steps(
    whole(frame, leave),
    fraction(frame, Math.min(MOST_DIGITS, MOST_POWER), leave),
    when(i64.above(frame.number.get, i64.of(MOST_EXACT)), leave),
    signed(frame, leave),
  )

/** What `double` read. */
export const doubleValue = ({ number, places }: Frame, powersOfTen: number): Code =>
  f64.over(
    f64.ofSignedLong(number.get),
    f64.load(i32.plus(i32.shiftLeft(places.get, i32.of(3)), i32.of(powersOfTen))),
  )
