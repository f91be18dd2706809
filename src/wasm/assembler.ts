/**
 * As much of WebAssembly's binary format as a program of a few loops takes: functions over one imported memory, with
 * 32-bit and 64-bit numbers. A program is written as nested expressions; what they come to is checked by the engine when
 * it compiles the module.
 *
 * https://webassembly.github.io/spec/core/binary/
 */

type ValueType = 'i32' | 'i64' | 'f64' | 'v128'

/** Writes instructions behind those before them, which stand in so many blocks. */
export type Code = (to: number[], depth: number) => void

/** A block to jump out of, or a loop to jump to the beginning of. */
export interface Label {
  readonly depth: number
}

export interface Variable {
  readonly get: Code
  set(value: Code): Code
  /** Sets it to so much more. */
  add(value: Code): Code
}

export type GlobalVariable = Pick<Variable, 'get' | 'set'>

interface Signature {
  readonly params: readonly ValueType[]
  readonly result: ValueType
}

export interface WasmFunction extends Signature {
  readonly name: string
  readonly locals: readonly ValueType[]
  readonly body: Code
}

const TYPE_CODES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b }
const NO_RESULT = 0x40
const END = 0x0b

const bytes =
  (...values: readonly number[]): Code =>
  (to) => {
    for (const value of values) to.push(value)
  }

/** One behind the other. */
export const steps =
  (...codes: readonly Code[]): Code =>
  (to, depth) => {
    for (const code of codes) code(to, depth)
  }

/** An instruction and what it takes. */
const instruction =
  (...opcode: readonly number[]) =>
  (...operands: readonly Code[]): Code =>
    steps(...operands, bytes(...opcode))

/** Of addresses that need not be aligned: `offset` is added to each. */
const access =
  (...opcode: readonly number[]) =>
  (address: Code, ...value: readonly Code[]) =>
  (offset: number): Code =>
    steps(address, ...value, bytes(...opcode, 0, ...unsigned(offset)))

const load =
  (...opcode: readonly number[]) =>
  (address: Code, offset = 0): Code =>
    access(...opcode)(address)(offset)

const store =
  (...opcode: readonly number[]) =>
  (address: Code, value: Code, offset = 0): Code =>
    access(...opcode)(address, value)(offset)

export const i32 = {
  of: (value: number): Code => bytes(0x41, ...signed(BigInt(value | 0))),
  load: load(0x28),
  load8: load(0x2d),
  store: store(0x36),
  store8: store(0x3a),
  store16: store(0x3b),
  isZero: instruction(0x45),
  equal: instruction(0x46),
  differ: instruction(0x47),
  below: instruction(0x49),
  above: instruction(0x4b),
  atMost: instruction(0x4d),
  atLeast: instruction(0x4f),
  plus: instruction(0x6a),
  minus: instruction(0x6b),
  times: instruction(0x6c),
  over: instruction(0x6e),
  trailingZeros: instruction(0x68),
  and: instruction(0x71),
  or: instruction(0x72),
  xor: instruction(0x73),
  shiftLeft: instruction(0x74),
  shiftRight: instruction(0x76),
  rotateLeft: instruction(0x77),
  ofLong: instruction(0xa7),
}

export const i64 = {
  of: (value: bigint): Code => bytes(0x42, ...signed(BigInt.asIntN(64, value))),
  load: load(0x29),
  store: store(0x37),
  store32: store(0x3e),
  isZero: instruction(0x50),
  equal: instruction(0x51),
  below: instruction(0x54),
  above: instruction(0x56),
  plus: instruction(0x7c),
  minus: instruction(0x7d),
  trailingZeros: instruction(0x7a),
  times: instruction(0x7e),
  and: instruction(0x83),
  or: instruction(0x84),
  xor: instruction(0x85),
  shiftLeft: instruction(0x86),
  ofWord: instruction(0xad),
  ofSignedWord: instruction(0xac),
}

export const f64 = {
  load: load(0x2b),
  store: store(0x39),
  over: instruction(0xa3),
  ofLong: instruction(0xba),
  ofSignedLong: instruction(0xb9),
}

/** 16 bytes at once; comparisons give bytes of ones or zeros. */
export const v128 = {
  of: (values: readonly number[]): Code => bytes(0xfd, 0x0c, ...values),
  load: load(0xfd, 0x00),
  store: store(0xfd, 0x0b),
  /** The same byte 16 times. */
  all: instruction(0xfd, 0x0f),
  equal: instruction(0xfd, 0x23),
  below: instruction(0xfd, 0x26),
  and: instruction(0xfd, 0x4e),
  or: instruction(0xfd, 0x50),
  /** The upper bit of each byte. */
  bits: instruction(0xfd, 0x64),
  minus: instruction(0xfd, 0x71),
}

/** As `memmove`: to, from, length. */
export const copyMemory = instruction(0xfc, 0x0a, 0x00, 0x00)

/** Address, byte, length. */
export const fillMemory = instruction(0xfc, 0x0b, 0x00)

export const giveBack = instruction(0x0f)

/** The function of the module that stands at this index. */
export const callAt = (index: number): ((...operands: readonly Code[]) => Code) =>
  instruction(0x10, ...unsigned(index))

/** @param otherwise nothing by default */
export function when(condition: Code, then: Code, otherwise?: Code): Code {
  return (to, depth) => {
    condition(to, depth)
    to.push(0x04, NO_RESULT)
    then(to, depth + 1)
    if (otherwise) {
      to.push(0x05)
      otherwise(to, depth + 1)
    }
    to.push(END)
  }
}

/** Runs `body` until something jumps out of it. */
export function forEver(body: (out: Label, again: Label) => Code): Code {
  return (to, depth) => {
    const again = { depth: depth + 1 }
    to.push(0x02, NO_RESULT, 0x03, NO_RESULT)
    body({ depth }, again)(to, depth + 2)
    jump(again)(to, depth + 2)
    to.push(END, END)
  }
}

/** Runs `body`, which may jump out of it. */
export function block(body: (out: Label) => Code): Code {
  return (to, depth) => {
    to.push(0x02, NO_RESULT)
    body({ depth })(to, depth + 1)
    to.push(END)
  }
}

export function jump(label: Label): Code {
  return (to, depth) => {
    to.push(0x0c, ...unsigned(depth - label.depth - 1))
  }
}

export function jumpIf(label: Label, condition: Code): Code {
  return (to, depth) => {
    condition(to, depth)
    to.push(0x0d, ...unsigned(depth - label.depth - 1))
  }
}

/** The global numbers of a module are 32 bits wide, begin with 0 and can be read from outside. */
export function globalAt(index: number): GlobalVariable {
  return {
    get: bytes(0x23, ...unsigned(index)),
    set: (value) => steps(value, bytes(0x24, ...unsigned(index))),
  }
}

/** @param build gets the parameters, and a way to declare variables */
export function wasmFunction<const Params extends readonly ValueType[]>(
  name: string,
  params: Params,
  build: (
    params: { readonly [Index in keyof Params]: Variable },
    declare: (type: ValueType) => Variable,
  ) => Code,
): WasmFunction {
  const locals: ValueType[] = []
  const declare = (type: ValueType): Variable => {
    locals.push(type)
    return variableAt(params.length + locals.length - 1)
  }
  const variables = params.map((_, index) => variableAt(index))
  const body = build(variables as unknown as { readonly [Index in keyof Params]: Variable }, declare)
  return { name, params, result: 'i32', locals, body }
}

function variableAt(index: number): Variable {
  const get = bytes(0x20, ...unsigned(index))
  const set = (value: Code): Code => steps(value, bytes(0x21, ...unsigned(index)))
  return { get, set, add: (value) => set(i32.plus(get, value)) }
}

/** A module that exports these functions and globals, and imports its memory as `host.memory`. */
export function wasmModule(
  functions: readonly WasmFunction[],
  globals: readonly string[],
): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params, result }) => [
    0x60,
    ...list(params.map((type) => [TYPE_CODES[type]])),
    ...list([[TYPE_CODES[result]]]),
  ])
  const memory = [...text('host'), ...text('memory'), 0x02, 0x00, ...unsigned(0)]
  const zero = [TYPE_CODES.i32, 0x01, 0x41, 0x00, END]
  const exports = [
    ...functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]),
    ...globals.map((name, index) => [...text(name), 0x03, ...unsigned(index)]),
  ]
  const bodies = functions.map(({ locals, body }) => {
    const code = list(locals.map((type) => [1, TYPE_CODES[type]]))
    body(code, 0)
    code.push(END)
    return unsigned(code.length).concat(code)
  })
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      6,
      globals.map(() => zero),
    ),
    ...section(7, exports),
    ...section(10, bodies),
  ])
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = list(items)
  return [id, ...unsigned(content.length), ...content]
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...Buffer.from(value)]
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn)
  const rest = value >> 7n
  const isLast = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)
  return isLast ? [low] : [low | 0x80, ...signed(rest)]
}
