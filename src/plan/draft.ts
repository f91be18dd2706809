import type { Schema } from '../batch.ts'
import type { GroupMapping, StreamInput } from './plan.ts'

/** Anything a DataFrame or a view can be: a stream, SQL over such, or one of the few things SQL has no words for. */
export type Draft = StreamInput | SqlDraft | WatermarkDraft | DedupDraft | GroupsDraft

/** SQL over named inputs, not yet parsed. What a user says in text and through a DataFrame's verbs is the same. */
export interface SqlDraft {
  /** One SELECT; or how to write it once the columns of `input`, and of `other` if there is one, are known. */
  readonly text: string | ((columns: Schema, other: Schema) => string)
  /** What the names in `text` stand for; all others are tables of the session. Lower case. */
  readonly inputs: ReadonlyMap<string, Draft>
}

/** How late rows may come: `withWatermark('at', '30 seconds')`. */
export interface WatermarkDraft {
  readonly input: Draft
  readonly watermark: { readonly column: string; readonly delayMs: number }
}

/** `dropDuplicates(columns)`; no columns means all. */
export interface DedupDraft {
  readonly input: Draft
  readonly distinct: { readonly columns: readonly string[]; readonly isWithinWatermark: boolean }
}

/** `groupByKey(…).mapGroupsWithState(…)` */
export interface GroupsDraft {
  readonly input: Draft
  readonly groups: {
    readonly keys: readonly { readonly name: string; readonly sql: string }[]
    readonly mapping: Omit<GroupMapping, 'stateType'>
  }
}

/** The name under which a DataFrame's verb refers to the DataFrame it was called on. */
export const INPUT = 'input'
/** That of the DataFrame which the verb was given. */
export const OTHER = 'other'

/** A verb over one DataFrame: `SELECT … FROM input`. */
export function draftOver(input: Draft, text: SqlDraft['text']): SqlDraft {
  return Object.freeze({ text, inputs: new Map([[INPUT, input]]) })
}

/** Whether a stream is anywhere below. */
export function readsStream(draft: Draft): boolean {
  if ('inputs' in draft) return [...draft.inputs.values()].some(readsStream)
  return 'input' in draft ? readsStream(draft.input) : true
}
