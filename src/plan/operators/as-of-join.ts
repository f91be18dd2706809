import { quoted } from '../../duckdb.ts'
import { asOfMatch } from '../as-of.ts'
import { refused } from '../check.ts'
import { eventTimes } from '../event-time.ts'
import type { StreamJoin } from '../plan.ts'
import { LEFT, RIGHT } from '../time-bounds.ts'
import { isOver, type JoinSide, joinSide, keptRows, ROW } from './join-side.ts'
import { type Operator, type OperatorContext, WATERMARK } from './operator.ts'

/**
 * The as-of join of two streams, as two operators: each keeps the rows of one side, the second runs both.
 *
 * Algebra: a left row waits until the watermark has passed it; then all right rows before it are known, and with L the
 * left rows whose wait is over, the batch hands on `L ASOF JOIN R`, each left row once. Of right rows with the same key
 * and time the one that came last is kept. A right row is forgotten when the watermark has passed the next of its key:
 * that is nearer to every left row still to come.
 */
export async function asOfOperators(
  join: StreamJoin,
  context: OperatorContext,
): Promise<readonly Operator[]> {
  const match = asOfMatch(join, eventTimes(join.left), eventTimes(join.right))
  if (!match) throw refused('as-of-join')
  const { bounds, rightKeys } = match
  const left = await joinSide(join, LEFT, bounds, context)
  const right = await joinSide(join, RIGHT, bounds, context)
  const [condition, ...keys] = await context.analysis.sql.printExpressions([join.condition, ...rightKeys])
  const time = `r.${quoted(bounds.right.column)}`
  const result = quoted(context.name)
  const kind = join.type === 'ASOF LEFT' ? 'ASOF LEFT JOIN' : 'ASOF JOIN'
  const outputs = [...left.outputs(LEFT), ...right.outputs(RIGHT)].join(', ')
  const handedOn =
    `SELECT ${outputs} FROM (FROM ${left.state} WHERE ${isOver(left.over)}) AS l ` +
    `${kind} ${right.state} AS r ON ${condition}`
  const partition = keys.length > 0 ? `PARTITION BY ${keys.join(', ')} ` : ''
  const next = `lead(${time}) OVER (${partition}ORDER BY ${time}, r.${quoted(ROW)})`
  const forget = (isPassed: string) =>
    `DELETE FROM ${right.state} WHERE ${quoted(ROW)} IN (SELECT row FROM ` +
    `(SELECT r.${quoted(ROW)} AS row, ${time} AS time, ${next} AS next FROM ${right.state} AS r) WHERE ${isPassed})`
  const waitMs = Math.max(bounds.left.time.lagMs + bounds.leastMs, bounds.right.time.lagMs)
  const passed = `next + INTERVAL ${waitMs} MILLISECOND <= ${WATERMARK}`
  return [
    operator(left, [`DELETE FROM ${left.state} WHERE ${isOver(left.over)}`], {
      keeps: `the rows of the left side; hands a row on when the watermark passes ${left.over}`,
      run: left.take,
      pairing: { join: join.type, condition: condition as string },
    }),
    operator(right, [forget(`next = time OR ${passed}`)], {
      keeps: `the rows of the right side; forgets a row when the watermark passes the next of its key${keys.length > 0 ? ` (${keys.join(', ')})` : ''}`,
      prepare: [`CREATE TEMP TABLE ${result} AS SELECT * FROM (${handedOn}) LIMIT 0`],
      run: [
        ...right.take,
        `INSERT INTO ${left.state} FROM ${left.delta}`,
        `INSERT INTO ${right.state} FROM ${right.delta} AS r WHERE ${time} IS NOT NULL`,
        forget('next = time'),
        `CREATE OR REPLACE TEMP TABLE ${result} AS ${handedOn}`,
      ],
    }),
  ]
}

function operator(
  side: JoinSide,
  evict: readonly string[],
  {
    keeps,
    run,
    prepare = [],
    pairing = {},
  }: {
    readonly keeps: string
    readonly run: readonly string[]
    readonly prepare?: readonly string[]
    readonly pairing?: Readonly<Record<string, string>>
  },
): Operator {
  const isNew = `${quoted(ROW)} IN (SELECT ${quoted(ROW)} FROM ${side.delta})`
  return {
    name: side.name,
    keeps,
    prepare: [...side.prepare, ...prepare],
    run,
    evict,
    ...keptRows(side, isNew),
    identity: {
      kind: 'as-of join side',
      ...pairing,
      columns: side.types.map(({ name, type }) => ({ column: name, type })),
    },
  }
}
