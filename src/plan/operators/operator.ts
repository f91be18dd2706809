import type { Json, Schema } from '../../batch.ts'
import { type Connection, literal, quoted } from '../../duckdb.ts'
import type { OutputMode } from '../../output-mode.ts'
import type { Analysis } from '../analysis.ts'
import type { Plan } from '../plan.ts'
import type { LateRows } from './late-rows.ts'

/** A statement; one that merges into the state; or code of the user's between two statements. */
export type Step =
  | string
  | MergingStep
  | { readonly code: string; run(connection: Connection): Promise<void> }

/** A statement with RETURNING whose rows become those of a table, so many of them that no second look is cheap. */
export interface MergingStep {
  readonly returning: string
  readonly into: string
  /** Statements that do the same together, in less time where the state is large, and in more where it is not. */
  readonly overLarge?: readonly string[]
}

/**
 * A stateful operator as SQL: a state table, and the statements of one batch.
 *
 * Invariants: `run` leaves the rows that the operator hands on in the relation `name`; what `run` and `evict` do to
 * the state depends on the batch's rows, the state and the watermark alone; `load` of the saved files followed by
 * `evict` gives the state back.
 */
export interface Operator {
  /** Also the name of its folder in the checkpoint: `aggregate_0`. */
  readonly name: string
  /** What it keeps and when it forgets, for explain. */
  readonly keeps: string
  readonly state: string
  /** Creates its tables, once. */
  readonly prepare: readonly Step[]
  readonly run: readonly Step[]
  /** Forgets what the watermark allows; runs after all readers of `name`. */
  readonly evict: readonly string[]
  /** Rows of the batch that came too late, if it drops any. */
  readonly late: LateRows | undefined
  /** The batch time after which it wants to run though no rows come, epoch milliseconds, if it ever does. */
  readonly due?: string | undefined
  /** The state rows that this batch brought or changed, in types that Parquet holds. Empty for an operator without state. */
  readonly changed: string
  /** All state rows, likewise. */
  readonly snapshot: string
  /** Fills the empty state table from files, oldest first. */
  load(files: readonly string[]): string
  /** How many rows the state has, and how many the batch brought or changed. */
  readonly counts: string
  /** What must stay the same for the state to keep its meaning. */
  readonly identity: Json
}

/**
 * What an operator hands on in a batch: rows that are final, rows that changed, or all; or all, and those that changed
 * beside them, to an operator that is computed anew from them.
 */
export type HandsOn = OutputMode | 'all-and-changed'

/** What operators are made from. */
export interface OperatorContext {
  readonly name: string
  readonly mode: HandsOn
  readonly analysis: Analysis
  /** A plan below the operator as SQL over the tables of the running query. */
  print(plan: Plan): Promise<string>
  /** The operator's own node over the rows below it, as plain DuckDB would compute it. */
  printInPlace(node: Plan): Promise<string>
  /** As `print`, over those results of the operator below that the batch changed. */
  printChanged(plan: Plan): Promise<string>
}

/** The relation beside `name` that holds the results which the batch changed. */
export const changedOf = (name: string): string => `${name}_changed`

/** Statements that leave what an operator hands on, given as queries: tables of every batch, or views made once. */
export function handOn(
  kind: 'TABLE' | 'VIEW',
  name: string,
  mode: HandsOn,
  queries: Readonly<Record<OutputMode, string>>,
): string[] {
  const leave = (relation: string, query: string) =>
    `CREATE OR REPLACE TEMP ${kind} ${quoted(relation)} AS ${query}`
  return mode === 'all-and-changed'
    ? [leave(name, queries.complete), leave(changedOf(name), queries.update)]
    : [leave(name, queries[mode])]
}

/** Whether results that the watermark has passed may be forgotten: nobody asks for all of them. */
export function isForgetting(mode: HandsOn): boolean {
  return mode === 'append' || mode === 'update'
}

/** Rows that a group of the batch stands for, to count those that come too late. */
export const ROWS = 'rows of the batch'

/** The watermark of the batch that runs, as a TIMESTAMP; NULL before there is one. */
export const WATERMARK = "getvariable('watermark')"
/** The watermark of the batch before: what lies behind it was given up already, so it comes too late. */
export const LATE_BEFORE = "getvariable('late_before')"

/** `a.k IS NOT DISTINCT FROM b.k AND …`: NULLs are one group, as in GROUP BY. */
export function sameKey(keys: readonly string[], a: string, b: string): string {
  return (
    keys.map((key) => `${a}.${quoted(key)} IS NOT DISTINCT FROM ${b}.${quoted(key)}`).join(' AND ') || 'true'
  )
}

/** Columns as Parquet can hold them: DuckDB's own aggregate states as BLOB. */
export function storable(schema: Schema): string {
  const items = schema.map(({ name, type }) =>
    type.startsWith('AGGREGATE_STATE') ? `${quoted(name)}::BLOB AS ${quoted(name)}` : quoted(name),
  )
  return items.join(', ')
}

export function columnList(schema: Schema): string {
  return schema.map(({ name }) => quoted(name)).join(', ')
}

/** State with one row a key: the youngest file that has a key decides. */
export function loadLatest(
  state: string,
  schema: Schema,
  keys: readonly string[],
  files: readonly string[],
): string {
  const columns = columnList(schema)
  const partition = keys.length > 0 ? `PARTITION BY ${keys.map(quoted).join(', ')} ` : ''
  return (
    `INSERT INTO ${state} SELECT ${columns} FROM (${readAll(columns, files)}) ` +
    `QUALIFY row_number() OVER (${partition}ORDER BY _age DESC) = 1`
  )
}

/** State that only grows until it is forgotten: the rows of all files, in the order in which they came. */
export function loadAll(state: string, schema: Schema, files: readonly string[]): string {
  const columns = columnList(schema)
  return `INSERT INTO ${state} SELECT ${columns} FROM (${readAll(columns, files)}) ORDER BY _age, file_row_number`
}

function readAll(columns: string, files: readonly string[]): string {
  return files
    .map(
      (file, age) =>
        `SELECT ${columns}, file_row_number, ${age} AS _age FROM read_parquet(${literal(file)}, file_row_number = true)`,
    )
    .join(' UNION ALL ')
}
