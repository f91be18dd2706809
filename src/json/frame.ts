import type { Code, Variable } from '../wasm/assembler.ts'
import type { Look } from './spelling.ts'

/** The variables of the function that reads records. */
export interface Frame extends Look {
  readonly row: Variable
  /** Where it reads, and where the record ends. */
  readonly at: Variable
  readonly end: Variable
  /** Of the text, or the digits, that were read last. */
  readonly start: Variable
  readonly length: Variable
  /** The value that was read last, 64 bits; and a part of it. */
  readonly number: Variable
  readonly part: Variable
  readonly isNegative: Variable
  readonly digit: Variable
  /** Digits behind the point. */
  readonly places: Variable
  readonly year: Variable
  readonly month: Variable
  readonly day: Variable
}

/** @param leave what to do when the record turns out not to be plain */
export type Reading = (frame: Frame, leave: Code) => Code
