import type { Schema } from '../batch.ts'
import type { Row } from '../duckdb.ts'
import type { Expression, FunctionCall, JoinRef, Modifier, OrderModifier, Query, TableRef } from './ast.ts'
import type { GroupState, GroupTimeout } from './group-state.ts'
import type { Payload } from './payload.ts'

/**
 * A streaming query as a tree of the few kinds that matter to streaming. Expressions stay DuckDB's own nodes.
 * Every node is immutable; a rule is a function from plan to plan.
 */
export type Plan =
  | Scan
  | Static
  | Alias
  | Watermark
  | Filter
  | Project
  | Join
  | StreamJoin
  | Union
  | Aggregate
  | Dedup
  | TopN
  | MapGroups
  | Arrange

/** The rows of one stream. Two scans of the same input read the same rows of a batch. */
export interface Scan {
  readonly kind: 'scan'
  readonly input: StreamInput
}

/** A stream as the plan knows it: who it is and what its rows look like. Compared by identity. */
export interface StreamInput {
  /** For explain, progress and the checkpoint's identity: `kinesis[clicks]`. */
  readonly description: string
  readonly schema: Schema
  /** How its records are parsed; absent where the source's own columns are all there is. */
  readonly payload?: Payload | undefined
}

/** A relation without any stream in it: a table, a file, or a whole query over such; DuckDB's own node. */
export interface Static {
  readonly kind: 'static'
  readonly ref: TableRef
}

/** `child AS name (columns…)`; there only when something above says `name.column`. */
export interface Alias {
  readonly kind: 'alias'
  readonly child: Plan
  readonly name: string
  readonly columns: readonly string[]
}

export interface Filter {
  readonly kind: 'filter'
  readonly child: Plan
  readonly predicate: Expression
}

/** From here on, `column` is the event time: rows more than `delayMs` behind its maximum may be dropped as late. */
export interface Watermark {
  readonly kind: 'watermark'
  readonly child: Plan
  readonly column: string
  readonly delayMs: number
}

/** One output row a row, or several where an item unnests. Every item but a star carries its name. */
export interface Project {
  readonly kind: 'project'
  readonly child: Plan
  readonly items: readonly Expression[]
}

/** A join that treats every streaming row by itself: the other side is static, or made from the row (`unnest`). */
export interface Join {
  readonly kind: 'join'
  readonly left: Plan
  readonly right: Plan
  readonly ref: JoinRef
}

/**
 * A join of two streams: rows of both sides are kept until the watermark says that no partner can come any more.
 * Its condition names the sides `l` and `r`; its columns are those listed, under their output names.
 */
export interface StreamJoin {
  readonly kind: 'stream-join'
  readonly left: Plan
  readonly right: Plan
  /** `ASOF`: of the right rows that fit, the one with the latest time. */
  readonly type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'SEMI' | 'ANTI' | 'ASOF' | 'ASOF LEFT'
  readonly condition: Expression
  readonly columns: { readonly left: readonly JoinColumn[]; readonly right: readonly JoinColumn[] }
}

export interface JoinColumn {
  /** In the rows of its side. */
  readonly source: string
  /** In the rows of the join. */
  readonly output: string
}

/** UNION ALL of streams, by position. */
export interface Union {
  readonly kind: 'union'
  readonly left: Plan
  readonly right: Plan
}

/** Groups over the whole stream, kept as state. Its columns are the keys, then the calls, under these names. */
export interface Aggregate {
  readonly kind: 'aggregate'
  readonly child: Plan
  readonly keys: readonly { readonly name: string; readonly expression: Expression }[]
  readonly calls: readonly { readonly name: string; readonly call: FunctionCall }[]
}

/** The first row of every key, by `keys`; all columns where none is given. */
export interface Dedup {
  readonly kind: 'dedup'
  readonly child: Plan
  readonly keys: readonly string[]
  /** Forgets a key once the watermark has passed its event time by so much; else a key is kept as long as late rows can come. */
  readonly withinMs: number | undefined
}

/** The first `limit` rows of every partition: `QUALIFY row_number() OVER (PARTITION BY … ORDER BY …) <= limit`. */
export interface TopN {
  readonly kind: 'top-n'
  readonly child: Plan
  readonly partition: readonly Expression[]
  readonly orders: OrderModifier['orders']
  readonly limit: number
  /** The column that the row number becomes where the SELECT asks for it. */
  readonly rank: string | undefined
}

/** A function of the user's over the rows of every key and a state that it keeps. */
export interface MapGroups {
  readonly kind: 'map-groups'
  readonly child: Plan
  /** Columns of the child, and what the function knows them by; they are no part of the rows it sees. */
  readonly keys: readonly { readonly name: string; readonly column: string }[]
  readonly mapping: GroupMapping
  /** A relation without rows that has its columns, for the binder. */
  readonly empty: Query
}

/** What `mapGroupsWithState` and `flatMapGroupsWithState` are given. */
export interface GroupMapping {
  /** For errors and explain. */
  readonly name: string
  readonly code: (key: Row, rows: readonly Row[], state: GroupState<unknown>) => unknown
  /** Answers any number of rows a call, else one. */
  readonly isFlat: boolean
  readonly state: Schema | 'json'
  /** How the state is stored: a STRUCT, or JSON text. */
  readonly stateType: string
  readonly output: Schema
  readonly timeout: GroupTimeout
  /** Whether rows handed on may be followed by others that replace them. */
  readonly mode: 'append' | 'update'
}

/** ORDER BY and LIMIT over a complete result. */
export interface Arrange {
  readonly kind: 'arrange'
  readonly child: Plan
  readonly modifiers: readonly Modifier[]
}

export function childrenOf(plan: Plan): readonly Plan[] {
  switch (plan.kind) {
    case 'scan':
    case 'static':
      return []
    case 'join':
    case 'stream-join':
    case 'union':
      return [plan.left, plan.right]
    default:
      return [plan.child]
  }
}

/** The nodes of a plan, parents before children, left before right. */
export function nodesOf(plan: Plan): Plan[] {
  return [plan, ...childrenOf(plan).flatMap(nodesOf)]
}

/** The streams a plan reads, each once, in order of appearance. */
export function inputsOf(plan: Plan): StreamInput[] {
  return [...new Set(nodesOf(plan).flatMap((node) => (node.kind === 'scan' ? [node.input] : [])))]
}

export function isStreaming(plan: Plan): boolean {
  return inputsOf(plan).length > 0
}

export type Stateful = Aggregate | Dedup | TopN | StreamJoin | MapGroups

/**
 * The stateful operators, those that feed others first: the order in which they run and are numbered. A node that
 * stands in several places, such as a common table, is one operator.
 */
export function statefulOf(plan: Plan): Stateful[] {
  const found = nodesOf(plan).filter((node) => isStateful(node))
  return [...new Set(found.reverse())]
}

export function isStateful(node: Plan): node is Stateful {
  return ['aggregate', 'dedup', 'top-n', 'stream-join', 'map-groups'].includes(node.kind)
}

export function watermarksOf(plan: Plan): Watermark[] {
  return [...new Set(nodesOf(plan).filter((node) => node.kind === 'watermark'))]
}

export function aggregatesOf(plan: Plan): Aggregate[] {
  return nodesOf(plan).filter((node) => node.kind === 'aggregate')
}
