import {
  type Code,
  forEver,
  type GlobalVariable,
  giveBack,
  i32,
  jump,
  jumpIf,
  steps,
  type Variable,
  v128,
  type WasmFunction,
  wasmFunction,
  when,
} from '../wasm/assembler.ts'
import { byteAt, ESCAPE, isByte, isNoText, pass, passByte, passHex, QUOTE } from './spelling.ts'

/** What a letter behind a backslash stands for; quotes, backslashes and slashes stand for themselves. */
const LETTERS: Readonly<Record<string, number>> = { b: 0x08, f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09 }
const THEMSELVES = ['"', '\\', '/']

/**
 * `unescape(at, to)` copies the text from the backslash at `at` up to the quote that ends it, and writes what its escapes
 * stand for. Gives where the quote is, or 0 for what is no text, has a NUL, or half of a character.
 *
 * @param end set to where the copy ends; up to 16 bytes behind it are overwritten
 */
export function unescapeText(end: GlobalVariable): WasmFunction {
  return wasmFunction('unescape', ['i32', 'i32'], ([at, to], declare) => {
    const [letter, character, stops, chunk] = [
      declare('i32'),
      declare('i32'),
      declare('i32'),
      declare('v128'),
    ]
    const refuse = giveBack(i32.of(0))
    const put = (byte: Code): Code => steps(i32.store8(to.get, byte), pass(to))
    const cases: readonly (readonly [string, Code])[] = [
      ...THEMSELVES.map((each) => [each, put(letter.get)] as const),
      ...Object.entries(LETTERS).map(([each, byte]) => [each, put(i32.of(byte))] as const),
      ['u', steps(passHex(at, character, letter, refuse), putCharacter(character, put))],
    ]
    const escaped = steps(
      passByte(at, ESCAPE, refuse),
      letter.set(byteAt(at)),
      pass(at),
      cases.reduceRight<Code>(
        (otherwise, [each, then]) => when(isByte(letter.get, each.charCodeAt(0)), then, otherwise),
        refuse,
      ),
    )
    const plain = forEver((out, again) =>
      steps(
        chunk.set(v128.load(at.get)),
        v128.store(to.get, chunk.get),
        stops.set(v128.bits(isNoText(chunk))),
        when(i32.isZero(stops.get), steps(pass(at, 16), pass(to, 16), jump(again))),
        stops.set(i32.trailingZeros(stops.get)),
        at.add(stops.get),
        to.add(stops.get),
        jump(out),
      ),
    )
    return steps(
      forEver((out) => steps(escaped, plain, jumpIf(out, isByte(byteAt(at), QUOTE)))),
      end.set(to.get),
      at.get,
    )
  })
}

/** As UTF-8; none of them takes more than three bytes. */
function putCharacter(character: Variable, put: (byte: Code) => Code): Code {
  const bitsFrom = (bit: number): Code => i32.shiftRight(character.get, i32.of(bit))
  const following = (bit: number): Code => put(i32.or(i32.of(0x80), i32.and(bitsFrom(bit), i32.of(0x3f))))
  return when(
    i32.below(character.get, i32.of(0x80)),
    put(character.get),
    when(
      i32.below(character.get, i32.of(0x800)),
      steps(put(i32.or(i32.of(0xc0), bitsFrom(6))), following(0)),
      steps(put(i32.or(i32.of(0xe0), bitsFrom(12))), following(6), following(0)),
    ),
  )
}
