import type { Json } from '../../batch.ts'
import { quoted } from '../../duckdb.ts'
import { eventTimes } from '../event-time.ts'
import type { StreamJoin } from '../plan.ts'
import { LEFT, RIGHT, timeBounds } from '../time-bounds.ts'
import { isOver, type JoinSide, joinSide, keptRows, ROW } from './join-side.ts'
import type { Operator, OperatorContext } from './operator.ts'

/** A column that the state adds to a side's rows. */
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
  const left = await joinSide(join, LEFT, bounds, context, [MATCHED])
  const right = await joinSide(join, RIGHT, bounds, context, [MATCHED])
  const condition = (await context.analysis.sql.printExpressions([join.condition]))[0] as string
  const pairs = quoted(`${context.name}_pairs`)
  const keys = `l.${quoted(ROW)} AS l, r.${quoted(ROW)} AS r`
  const outputs = [left, right].flatMap((side) => side.outputs(side.alias))
  const pairing = (l: string, r: string) =>
    `SELECT ${[keys, ...outputs].join(', ')} FROM ${l} AS l JOIN ${r} AS r ON ${condition}`
  const result = quoted(context.name)
  const handedOn = resultOf(join, left, right, pairs)
  const mark = (side: JoinSide, key: string) =>
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

/** The rows that the batch hands on. */
function resultOf(join: StreamJoin, left: JoinSide, right: JoinSide, pairs: string): string {
  const names = (side: JoinSide) =>
    (side.alias === LEFT ? join.columns.left : join.columns.right).map(({ output }) => quoted(output))
  const all = [...names(left), ...names(right)].join(', ')
  const lonely = (side: JoinSide, key: string) =>
    `${side.state} AS ${side.alias} WHERE NOT ${quoted(MATCHED)} AND ${isOver(side.over)} AND ${quoted(ROW)} NOT IN (SELECT ${key} FROM ${pairs})`
  const nulls = (side: JoinSide) => names(side).map((name) => `NULL AS ${name}`)
  const matched = `SELECT ${all} FROM ${pairs}`
  const onlyLeft = `SELECT ${[...left.outputs(LEFT), ...nulls(right)].join(', ')} FROM ${lonely(left, 'l')}`
  const onlyRight = `SELECT ${[...nulls(left), ...right.outputs(RIGHT)].join(', ')} FROM ${lonely(right, 'r')}`
  switch (join.type) {
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
    default:
      return matched
  }
}

function operator(
  side: JoinSide,
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
    prepare: [...side.prepare, ...prepare],
    run,
    evict: side.over ? [`DELETE FROM ${side.state} WHERE ${isOver(side.over)}`] : [],
    ...keptRows(side, isNew),
    identity: {
      kind: 'join side',
      ...pairing,
      columns: side.types.map(({ name, type }) => ({ column: name, type })),
      forgets: side.over ? 'rows behind the watermark' : 'nothing',
    },
  }
}
