import type { Json } from '../../batch.ts'
import { quoted } from '../../duckdb.ts'
import { column } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimes } from '../event-time.ts'
import type { StreamJoin } from '../plan.ts'
import { LEFT, RIGHT, type TimeBounds, timeBounds } from '../time-bounds.ts'
import { closing, isBehind } from './closing.ts'
import { type LateRows, lateRows } from './late-rows.ts'
import { loadLatest, type Operator, type OperatorContext, storable, WATERMARK } from './operator.ts'

/** Columns that the state adds to a side's rows: who the row is, and whether it has had a partner. */
const ROW = 'row of the join'
const MATCHED = 'had a partner'

/**
 * The join of two streams, as two operators: each keeps the rows of one side, the second runs both.
 *
 * Algebra: with L and R the kept rows and ΔL, ΔR those of the batch, the pairs of the batch are
 * `ΔL ⋈ (R + ΔR)  +  L ⋈ ΔR`. A row is forgotten when the watermark says that no partner can come any more; only then
 * does an outer or anti join hand it on without one, and a semi join hands it on with its first.
 */
export async function joinOperators(
  join: StreamJoin,
  context: OperatorContext,
): Promise<readonly Operator[]> {
  const bounds = timeBounds(join, eventTimes(join.left), eventTimes(join.right))
  const left = await sideOf(join, LEFT, bounds, context)
  const right = await sideOf(join, RIGHT, bounds, context)
  const condition = (await context.analysis.sql.printExpressions([join.condition]))[0] as string
  const pairs = quoted(`${context.name}_pairs`)
  const keys = `l.${quoted(ROW)} AS l, r.${quoted(ROW)} AS r`
  const outputs = [left, right].flatMap((side) => side.outputs(side.alias))
  const pairing = (l: string, r: string) =>
    `SELECT ${[keys, ...outputs].join(', ')} FROM ${l} AS l JOIN ${r} AS r ON ${condition}`
  const result = quoted(context.name)
  const handedOn = resultOf(join, left, right, pairs)
  const mark = (side: Side, key: string) =>
    `UPDATE ${side.state} SET ${quoted(MATCHED)} = true WHERE NOT ${quoted(MATCHED)} AND ${quoted(ROW)} IN (SELECT ${key} FROM ${pairs})`

  const first = operator(left, context, {
    prepare: [],
    run: [...left.take],
    pairing: { join: join.type, condition },
  })
  const second = operator(right, context, {
    prepare: [
      `CREATE TEMP TABLE ${pairs} AS ${pairing(left.delta, right.delta)} LIMIT 0`,
      `CREATE TEMP TABLE ${result} AS SELECT * FROM (${handedOn}) LIMIT 0`,
    ],
    run: [
      ...right.take,
      `CREATE OR REPLACE TEMP TABLE ${pairs} AS ${pairing(left.delta, `(FROM ${right.state} UNION ALL FROM ${right.delta})`)} ` +
        `UNION ALL ${pairing(left.state, right.delta)}`,
      `INSERT INTO ${left.state} FROM ${left.delta}`,
      `INSERT INTO ${right.state} FROM ${right.delta}`,
      `CREATE OR REPLACE TEMP TABLE ${result} AS ${handedOn}`,
      mark(left, 'l'),
      mark(right, 'r'),
    ],
  })
  return [first, second]
}

interface Side {
  readonly alias: typeof LEFT | typeof RIGHT
  readonly name: string
  readonly state: string
  readonly delta: string
  readonly late: LateRows | undefined
  readonly types: readonly { readonly name: string; readonly type: string }[]
  readonly prepare: readonly string[]
  /** Statements that make ΔL or ΔR. */
  readonly take: readonly string[]
  /** SQL for the moment after which a row can find no partner; undefined where there is none. */
  readonly over: string | undefined
  /** The side's columns under the names of the join. */
  outputs(from: string): string[]
}

async function sideOf(
  join: StreamJoin,
  alias: Side['alias'],
  bounds: TimeBounds | undefined,
  context: OperatorContext,
): Promise<Side> {
  const { name: joinName, analysis, print } = context
  const [plan, columns] = alias === LEFT ? [join.left, join.columns.left] : [join.right, join.columns.right]
  const name = `${joinName}_${alias === LEFT ? 'left' : 'right'}`
  const types = await describePlan(plan, analysis)
  const select = await print(plan)
  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  // Rows get numbers that no other batch gives.
  const numbered = `SELECT *, getvariable('batch_id') * 4294967296 + row_number() OVER () AS ${quoted(ROW)}, false AS ${quoted(MATCHED)} FROM (${select})`
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
    types: [...types, { name: ROW, type: 'BIGINT' }, { name: MATCHED, type: 'BOOLEAN' }],
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

/** `left - right >= least`: a left row waits for right rows up to `left - least`; likewise the other way round. */
function expiry(alias: Side['alias'], bounds: TimeBounds | undefined): string | undefined {
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
const isOver = (over: string | undefined): string => `(${over} <= ${WATERMARK} OR ${over} IS NULL)`

/** The rows that the batch hands on. */
function resultOf(join: StreamJoin, left: Side, right: Side, pairs: string): string {
  const names = (side: Side) =>
    (side.alias === LEFT ? join.columns.left : join.columns.right).map(({ output }) => quoted(output))
  const all = [...names(left), ...names(right)].join(', ')
  const lonely = (side: Side, key: string) =>
    `${side.state} AS ${side.alias} WHERE NOT ${quoted(MATCHED)} AND ${isOver(side.over)} AND ${quoted(ROW)} NOT IN (SELECT ${key} FROM ${pairs})`
  const nulls = (side: Side) => names(side).map((name) => `NULL AS ${name}`)
  const matched = `SELECT ${all} FROM ${pairs}`
  const onlyLeft = `SELECT ${[...left.outputs(LEFT), ...nulls(right)].join(', ')} FROM ${lonely(left, 'l')}`
  const onlyRight = `SELECT ${[...nulls(left), ...right.outputs(RIGHT)].join(', ')} FROM ${lonely(right, 'r')}`
  switch (join.type) {
    case 'INNER':
      return matched
    case 'LEFT':
      return `${matched} UNION ALL ${onlyLeft}`
    case 'RIGHT':
      return `${matched} UNION ALL ${onlyRight}`
    case 'FULL':
      return `${matched} UNION ALL ${onlyLeft} UNION ALL ${onlyRight}`
    case 'SEMI':
      return `SELECT ${left.outputs(LEFT).join(', ')} FROM ${left.state} AS l WHERE NOT ${quoted(MATCHED)} AND ${quoted(ROW)} IN (SELECT l FROM ${pairs})`
    case 'ANTI':
      return `SELECT ${left.outputs(LEFT).join(', ')} FROM ${lonely(left, 'l')}`
  }
}

function operator(
  side: Side,
  { name: joinName }: OperatorContext,
  {
    prepare,
    run,
    pairing = {},
  }: {
    readonly prepare: readonly string[]
    readonly run: readonly string[]
    /** How its sides find each other, of which either keeps what the other may need. */
    readonly pairing?: Readonly<Record<string, Json>>
  },
): Operator {
  const pairs = quoted(`${joinName}_pairs`)
  const isNew = `${quoted(ROW)} IN (SELECT ${quoted(ROW)} FROM ${side.delta}) OR ${quoted(ROW)} IN (SELECT ${side.alias} FROM ${pairs})`
  return {
    name: side.name,
    keeps: `the rows of the ${side.alias === LEFT ? 'left' : 'right'} side; ${side.over ? `forgets a row when the watermark passes ${side.over}` : 'forgets nothing: the condition does not bound the time between partners'}`,
    state: side.state,
    prepare: [...side.prepare, ...prepare],
    run,
    evict: side.over ? [`DELETE FROM ${side.state} WHERE ${isOver(side.over)}`] : [],
    late: side.late,
    changed: `SELECT ${storable(side.types)} FROM ${side.state} WHERE ${isNew}`,
    snapshot: `SELECT ${storable(side.types)} FROM ${side.state}`,
    load: (files) => loadLatest(side.state, side.types, [ROW], files),
    counts: `SELECT (SELECT count(*) FROM ${side.state}) AS total, (SELECT count(*) FROM ${side.state} WHERE ${isNew}) AS updated`,
    identity: {
      kind: 'join side',
      ...pairing,
      columns: side.types.map(({ name, type }) => ({ column: name, type })),
      forgets: side.over ? 'rows behind the watermark' : 'nothing',
    },
  }
}
