import { quoted } from '../../duckdb.ts'
import { column } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimes } from '../event-time.ts'
import type { Dedup } from '../plan.ts'
import { closing, isBehind } from './closing.ts'
import { lateRows } from './late-rows.ts'
import { loadLatest, type Operator, type OperatorContext, sameKey, storable, WATERMARK } from './operator.ts'

/** When a key kept for so long within the watermark may be forgotten. */
const EXPIRES = 'expires'

/**
 * The first row of every key.
 *
 * Algebra: handed on is the first row of each key of the batch that S does not have; `S' = S + their keys`. With the
 * event time among the keys, a key is forgotten when the watermark passes it; `within` the watermark, when it passes
 * the event time of the first row by the delay; else never.
 */
export async function dedupOperator(dedup: Dedup, context: OperatorContext): Promise<Operator> {
  const { name, analysis, print } = context
  const columns = await describePlan(dedup.child, analysis)
  const keys = dedup.keys.length > 0 ? dedup.keys : columns.map((field) => field.name)
  const times = [...eventTimes(dedup.child)].map(([name, eventTime]) => ({
    name,
    eventTime,
    end: closing(quoted(name), eventTime),
  }))
  const [first] = times
  const time = first?.end
  const keyTime = times.find(({ name: c }) => keys.some((key) => key.toLowerCase() === c))
  const within = dedup.withinMs === undefined ? undefined : `${time} + INTERVAL ${dedup.withinMs} MILLISECOND`
  const over = within ? quoted(EXPIRES) : keyTime?.end

  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const keyList = keys.map(quoted).join(', ')
  const kept = within ? `${keyList}, ${within} AS ${quoted(EXPIRES)}` : keyList
  const types = [
    ...keys.map((key) => columns.find((field) => field.name.toLowerCase() === key.toLowerCase())!),
    ...(within ? [{ name: EXPIRES, type: 'TIMESTAMP' }] : []),
  ]
  const select = await print(dedup.child)
  const order = time ? ` ORDER BY ${time}` : ''
  return {
    name,
    keeps: `one row a key of ${keys.join(', ')}; ${over ? `forgets a key when the watermark passes ${over}` : 'forgets nothing: no key is bounded by a watermark'}`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${quoted(name)} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT ${kept} FROM ${delta} LIMIT 0`,
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(time
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE ${isBehind(time)}`,
            `DELETE FROM ${delta} WHERE ${isBehind(time)}`,
          ]
        : []),
      `CREATE OR REPLACE TEMP TABLE ${quoted(name)} AS SELECT d.* FROM ` +
        `(SELECT DISTINCT ON (${keyList}) * FROM ${delta}${order}) AS d ANTI JOIN ${state} AS s ON ${sameKey(keys, 's', 'd')}`,
      `INSERT INTO ${state} SELECT ${kept} FROM ${quoted(name)}`,
    ],
    evict: over ? [`DELETE FROM ${state} WHERE ${over} <= ${WATERMARK}`] : [],
    late:
      first &&
      (await lateRows(
        `SELECT n FROM ${late}`,
        dedup.child,
        column(first.name),
        (value) => isBehind(closing(value, first.eventTime)),
        context,
      )),
    changed: `SELECT ${storable(types)} FROM (SELECT ${kept} FROM ${quoted(name)})`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadLatest(state, types, keys, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${quoted(name)}) AS updated`,
    identity: {
      kind: 'dedup',
      keys: types.map(({ name: key, type }) => ({ key, type })),
      isWithinWatermark: within !== undefined,
      forgets: over ? 'keys behind the watermark' : 'nothing',
    },
  }
}
