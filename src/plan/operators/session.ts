import { quoted } from '../../duckdb.ts'
import { type Expression, named } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimeOf, eventTimes } from '../event-time.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { isSession } from '../rules/event-time-windows.ts'
import { argumentsOf, callItems } from './arguments.ts'
import { closingAt, isLate } from './closing.ts'
import { countedOnce, lateRows } from './late-rows.ts'
import { loadAll, type Operator, type OperatorContext, storable, WATERMARK } from './operator.ts'

/** Event time of a kept row. */
const TIME = 'time of the row'

/**
 * Groups whose time key is `session_window(time, gap)`: rows of the same other keys, each at most a gap after the one
 * before. A row of a later batch may join two sessions into one, so rows are kept, and sessions made from them.
 *
 * Algebra: `S' = S + D` as multisets of rows; the sessions of a partition are those of its rows in S'. In append mode
 * a session is handed on, and its rows forgotten, when the watermark passes its end; in complete mode all of S' is.
 */
export async function sessionOperator(aggregate: Aggregate, context: OperatorContext): Promise<Operator> {
  const { name, mode, analysis, print } = context
  const session = aggregate.keys.find(({ expression }) => isSession(expression)) as Aggregate['keys'][number]
  const [time, gapExpression] = session.expression['children'] as [Expression, Expression]
  const others = aggregate.keys.filter((key) => key !== session)
  const keys = [...others.map((key) => named(key.expression, key.name)), named(time, TIME)]
  const { items, calls } = argumentsOf(keys, aggregate.calls)
  const input: Plan = { kind: 'project', child: aggregate.child, items }
  const types = await describePlan(input, analysis)
  const texts = await analysis.sql.printExpressions([gapExpression, ...others.map((key) => key.expression)])
  const gap = `CAST(${texts[0]} AS INTERVAL)`
  const argumentTexts = await analysis.sql.printExpressions(items.slice(others.length))
  const select = await print(input)

  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const partition = others.map((key) => quoted(key.name))
  const t = quoted(TIME)
  const over = `OVER (${partition.length > 0 ? `PARTITION BY ${partition.join(', ')} ` : ''}ORDER BY ${t})`
  const numbered =
    `SELECT *, count(*) FILTER (WHERE is_first) ${over} AS number FROM ` +
    `(SELECT *, rowid AS id, coalesce(${t} > lag(${t}) ${over} + ${gap}, true) AS is_first FROM ${state})`
  const groups = [...partition, 'number'].join(', ')
  const window = `{'start': min(${t}), 'end': max(${t}) + ${gap}}`
  const keyItems = aggregate.keys.map((key) =>
    key === session ? `${window} AS ${quoted(key.name)}` : quoted(key.name),
  )
  const results = [...keyItems, ...(await callItems(calls, analysis.sql))].join(', ')
  const lagMs = eventTimeOf(session.expression, eventTimes(aggregate.child))?.lagMs ?? 0
  const end = (last: string) => closingAt(`${last} + ${gap}`, lagMs)
  const closed = mode === 'append' ? ` HAVING ${end(`max(${t})`)} <= ${WATERMARK}` : ''
  const sessions = `SELECT ${results} FROM (${numbered}) GROUP BY ${groups}`
  const ended = `SELECT id FROM (SELECT id, ${end(`max(${t}) OVER (PARTITION BY ${groups})`)} AS last FROM (${numbered})) WHERE last <= ${WATERMARK}`
  const isLateRow = (moment: string) => isLate(end(moment), mode)
  return {
    name,
    keeps: `the rows of open sessions; ${mode === 'append' ? 'forgets a session when the watermark passes its end' : 'forgets nothing in complete mode'}`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS FROM ${delta}`,
      `CREATE TEMP TABLE ${quoted(name)} AS ${sessions} LIMIT 0`,
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE (${isLateRow(t)})${countedOnce(aggregate)}`,
      `DELETE FROM ${delta} WHERE ${isLateRow(t)}`,
      `INSERT INTO ${state} FROM ${delta}`,
      `CREATE OR REPLACE TEMP TABLE ${quoted(name)} AS ${sessions}${closed}`,
    ],
    evict: mode === 'append' ? [`DELETE FROM ${state} WHERE rowid IN (${ended})`] : [],
    late: await lateRows(`SELECT n FROM ${late}`, aggregate.child, time, isLateRow, context),
    changed: `SELECT ${storable(types)} FROM ${delta}`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadAll(state, types, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${delta}) AS updated`,
    identity: {
      kind: 'session',
      gap: texts[0] as string,
      keys: texts.slice(1).map((text, i) => ({ expression: text, type: types[i]!.type })),
      arguments: argumentTexts.map((text, i) => ({ expression: text, type: types[others.length + i]!.type })),
      forgets: mode === 'append' ? 'sessions behind the watermark' : 'nothing',
    },
  }
}
