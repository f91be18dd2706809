import type { Schema } from '../batch.ts'
import type { StreamInput } from './plan.ts'

/**
 * SQL over named inputs, not yet parsed. Everything a user says, in text or through a DataFrame, is a draft: so
 * both become the same plan.
 */
export interface Draft {
  /** One SELECT; or how to write it once the columns of `input` are known. */
  readonly text: string | ((columns: Schema) => string)
  /** What the names in `text` stand for; all others are tables of the session. Lower case. */
  readonly inputs: ReadonlyMap<string, Draft | StreamInput>
}

/** The name under which a DataFrame's verb refers to the DataFrame it was called on. */
export const INPUT = 'input'

export const isDraft = (input: Draft | StreamInput): input is Draft => 'text' in input

/** A verb over one DataFrame: `SELECT … FROM input`. */
export function draftOver(input: Draft | StreamInput, text: Draft['text']): Draft {
  return Object.freeze({ text, inputs: new Map([[INPUT, input]]) })
}
