import type { Schema } from '../../batch.ts'
import { quoted } from '../../duckdb.ts'
import { column } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimes } from '../event-time.ts'
import type { StreamJoin } from '../plan.ts'
import { LEFT, type RIGHT, type TimeBounds } from '../time-bounds.ts'
import { closing, isBehind } from './closing.ts'
import { type LateRows, lateRows } from './late-rows.ts'
import { loadLatest, type Operator, type OperatorContext, storable, WATERMARK } from './operator.ts'

/** A column that the state adds to the rows: who the row is. */
export const ROW = 'row of the join'

/** One side of a join of streams: the rows that it keeps, and how those of a batch are taken in. */
export interface JoinSide {
  readonly alias: typeof LEFT | typeof RIGHT
  readonly name: string
  readonly state: string
  readonly delta: string
  readonly late: LateRows | undefined
  readonly types: Schema
  readonly prepare: readonly string[]
  /** Statements that make ΔL or ΔR. */
  readonly take: readonly string[]
  /** SQL for the moment after which a row can find no partner; undefined where there is none. */
  readonly over: string | undefined
  /** The side's columns under the names of the join. */
  outputs(from: string): string[]
}

/** @param marks columns that the state adds to the rows, false at first */
export async function joinSide(
  join: StreamJoin,
  alias: JoinSide['alias'],
  bounds: TimeBounds | undefined,
  context: OperatorContext,
  marks: readonly string[] = [],
): Promise<JoinSide> {
  const { name: joinName, analysis, print } = context
  const [plan, columns] = alias === LEFT ? [join.left, join.columns.left] : [join.right, join.columns.right]
  const name = `${joinName}_${alias === LEFT ? 'left' : 'right'}`
  const types = await describePlan(plan, analysis)
  const select = await print(plan)
  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  // Rows get numbers that no other batch gives.
  const number = `getvariable('batch_id') * 4294967296 + row_number() OVER () AS ${quoted(ROW)}`
  const added = [number, ...marks.map((mark) => `false AS ${quoted(mark)}`)].join(', ')
  const numbered = `SELECT *, ${added} FROM (${select})`
  const [time] = eventTimes(plan)
  const end = time && closing(quoted(time[0]), time[1])
  return {
    alias,
    name,
    state,
    delta,
    late:
      time &&
      (await lateRows(
        `SELECT n FROM ${late}`,
        plan,
        column(time[0]),
        (value) => isBehind(closing(value, time[1])),
        context,
      )),
    types: [...types, { name: ROW, type: 'BIGINT' }, ...marks.map((name) => ({ name, type: 'BOOLEAN' }))],
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${numbered} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS FROM ${delta}`,
    ],
    take: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${numbered}`,
      ...(end
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE ${isBehind(end)}`,
            `DELETE FROM ${delta} WHERE ${isBehind(end)}`,
          ]
        : []),
    ],
    over: expiry(alias, bounds),
    outputs: (from) => columns.map(({ source, output }) => `${from}.${quoted(source)} AS ${quoted(output)}`),
  }
}

/** What an operator says of the rows that it keeps of a side. @param isNew SQL, true of rows that the batch added or changed */
export function keptRows(
  { state, types, late }: JoinSide,
  isNew: string,
): Pick<Operator, 'state' | 'late' | 'changed' | 'snapshot' | 'load' | 'counts'> {
  const rows = `SELECT ${storable(types)} FROM ${state}`
  return {
    state,
    late,
    changed: `${rows} WHERE ${isNew}`,
    snapshot: rows,
    load: (files) => loadLatest(state, types, [ROW], files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${state} WHERE ${isNew}) AS updated`,
  }
}

/** `left - right >= least`: a left row waits for right rows up to `left - least`; likewise the other way round. */
function expiry(alias: JoinSide['alias'], bounds: TimeBounds | undefined): string | undefined {
  const shiftMs = alias === LEFT ? bounds?.leastMs && -bounds.leastMs : bounds?.mostMs
  const isBounded = alias === LEFT ? bounds?.leastMs !== undefined : bounds?.mostMs !== undefined
  if (!bounds || !isBounded) return undefined
  const { own, other } =
    alias === LEFT ? { own: bounds.left, other: bounds.right } : { own: bounds.right, other: bounds.left }
  const moment = quoted(own.column) + (own.time.kind === 'window' ? '."end"' : '')
  const waitMs = (shiftMs ?? 0) + other.time.lagMs
  return `(${moment} ${waitMs < 0 ? '-' : '+'} INTERVAL ${Math.abs(waitMs)} MILLISECOND)`
}

/** A row without event time has no partner either: the bounds on time are never true of it. */
export const isOver = (over: string | undefined): string => `(${over} <= ${WATERMARK} OR ${over} IS NULL)`
