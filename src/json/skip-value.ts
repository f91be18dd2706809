import {
  type Code,
  callAt,
  forEver,
  type GlobalVariable,
  giveBack,
  i32,
  jump,
  jumpIf,
  steps,
  v128,
  type WasmFunction,
  wasmFunction,
  when,
} from '../wasm/assembler.ts'
import {
  byteAt,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  DOT,
  ESCAPE,
  isByte,
  isFalse,
  isNull,
  isOneOf,
  isTrue,
  MINUS,
  must,
  OPEN_LIST,
  OPEN_OBJECT,
  pass,
  passBlanks,
  passByte,
  passHex,
  passText,
  QUOTE,
  ZERO,
} from './spelling.ts'

/** Lists and objects that stand in each other. */
const MOST_DEPTH = 32

const bytesOf = (text: string): readonly number[] => [...text].map((each) => each.charCodeAt(0))
/** What may follow a backslash, beside a `u`. */
const ESCAPED = bytesOf('"\\/bfnrt')
const U = 0x75
const EXPONENT = bytesOf('eE')
const SIGN = bytesOf('+-')

/**
 * `skip(at, depth)` goes past a value of any kind that nobody asked for. It has to be JSON all the same, without
 * halves of characters: what is not gives 0.
 *
 * @param index of this function in its module, which calls itself
 * @param isWide set to 1 when a text has bytes outside of ASCII
 */
export function skipValue(index: number, isWide: GlobalVariable): WasmFunction {
  return wasmFunction('skip', ['i32', 'i32'], ([at, depth], declare) => {
    const look = { chunk: declare('v128'), stops: declare('i32'), seen: declare('v128') }
    const [start, character, digit] = [declare('i32'), declare('i32'), declare('i32')]
    const refuse = giveBack(i32.of(0))
    const blanks = passBlanks(at, refuse)
    const passRun = forEver((out) =>
      steps(jumpIf(out, i32.above(i32.minus(byteAt(at), i32.of(ZERO)), i32.of(9))), pass(at)),
    )
    const digits = steps(start.set(at.get), passRun, must(i32.differ(at.get, start.get), refuse))

    const text = steps(
      passByte(at, QUOTE, refuse),
      forEver((out) =>
        steps(
          passText(at, look),
          jumpIf(out, isByte(byteAt(at), QUOTE)),
          passByte(at, ESCAPE, refuse),
          when(
            isByte(byteAt(at), U),
            steps(pass(at), passHex(at, character, digit, refuse)),
            steps(must(isOneOf(byteAt(at), ESCAPED), refuse), pass(at)),
          ),
        ),
      ),
      pass(at),
      when(v128.bits(look.seen.get), isWide.set(i32.of(1))),
    )
    const number = steps(
      when(isByte(byteAt(at), MINUS), pass(at)),
      digits,
      when(isByte(byteAt(start), ZERO), must(isByte(i32.minus(at.get, start.get), 1), refuse)),
      when(isByte(byteAt(at), DOT), steps(pass(at), digits)),
      when(isOneOf(byteAt(at), EXPONENT), steps(pass(at), when(isOneOf(byteAt(at), SIGN), pass(at)), digits)),
    )
    const inner = steps(at.set(callAt(index)(at.get, i32.plus(depth.get, i32.of(1)))), must(at.get, refuse))
    const itemsUpTo = (close: number, item: Code): Code =>
      steps(
        must(i32.below(depth.get, i32.of(MOST_DEPTH)), refuse),
        pass(at),
        blanks,
        when(
          isByte(byteAt(at), close),
          pass(at),
          forEver((out, again) =>
            steps(
              item,
              blanks,
              when(isByte(byteAt(at), COMMA), steps(pass(at), blanks, jump(again))),
              passByte(at, close, refuse),
              jump(out),
            ),
          ),
        ),
      )
    const member = steps(text, blanks, passByte(at, COLON, refuse), blanks, inner)
    const cases: readonly (readonly [Code, Code])[] = [
      [isByte(byteAt(at), QUOTE), text],
      [isByte(byteAt(at), OPEN_OBJECT), itemsUpTo(CLOSE_OBJECT, member)],
      [isByte(byteAt(at), OPEN_LIST), itemsUpTo(CLOSE_LIST, inner)],
      [i32.or(isTrue(at), isNull(at)), pass(at, 4)],
      [isFalse(at), pass(at, 5)],
    ]
    return steps(
      cases.reduceRight((otherwise, [condition, then]) => when(condition, then, otherwise), number),
      at.get,
    )
  })
}
