import { quoted } from '../../duckdb.ts'
import { named } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { argumentsOf, callItems } from './arguments.ts'
import { eventKeyEnd, isLate, lateForGroups } from './closing.ts'
import { countedOnce } from './late-rows.ts'
import {
  handOn,
  isForgetting,
  loadAll,
  type Operator,
  type OperatorContext,
  sameKey,
  storable,
  WATERMARK,
} from './operator.ts'

/**
 * Groups by an aggregate whose state cannot be merged (distinct counts, quantiles, lists, anything ordered): the
 * arguments of its calls are kept row by row, and the groups that a batch touches are computed again from them.
 *
 * Algebra: `S' = S + D` as multisets of rows; a group's result is the call over its rows in S'. Where every call is
 * DISTINCT, as sets.
 */
export async function retained(aggregate: Aggregate, context: OperatorContext): Promise<Operator> {
  const { name, mode, analysis, print } = context
  const over = eventKeyEnd(aggregate)
  const keys = aggregate.keys.map((key) => key.name)
  const { items, calls } = argumentsOf(
    aggregate.keys.map((key) => named(key.expression, key.name)),
    aggregate.calls,
  )
  const input: Plan = { kind: 'project', child: aggregate.child, items }
  const types = await describePlan(input, analysis)
  const texts = await analysis.sql.printExpressions(aggregate.keys.map((key) => key.expression))
  const argumentTexts = await analysis.sql.printExpressions(items.slice(keys.length))
  const select = await print(input)

  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const columnNames = types.map((field) => field.name)
  const columns = columnNames.map(quoted).join(', ')
  const isSet = calls.every(({ call }) => call.distinct)
  const fresh = isSet ? quoted(`${name}_new`) : delta
  const touched = `${state} AS s SEMI JOIN ${delta} AS d ON ${sameKey(keys, 's', 'd')}`
  const forgets = over !== undefined && isForgetting(mode)
  const results = [...keys.map(quoted), ...(await callItems(calls, analysis.sql))].join(', ')
  const groups = keys.length > 0 ? ` GROUP BY ${keys.map(quoted).join(', ')}` : ''
  const nothing = `SELECT ${results} FROM ${state}${groups} LIMIT 0`
  return {
    name,
    keeps: `the arguments of its calls, one row ${isSet ? 'a combination' : 'an input row'}, since they cannot be merged; ${forgets ? `forgets a group when the watermark passes ${over}` : over ? 'forgets nothing, since all results are asked for' : 'forgets nothing: no key is bounded by a watermark'}`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT ${columns} FROM ${delta} LIMIT 0`,
      ...handOn('TABLE', name, mode, { append: nothing, update: nothing, complete: nothing }),
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(over
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE (${isLate(over, mode)})${countedOnce(aggregate)}`,
            `DELETE FROM ${delta} WHERE ${isLate(over, mode)}`,
          ]
        : []),
      ...(isSet
        ? [
            `CREATE OR REPLACE TEMP TABLE ${fresh} AS SELECT DISTINCT d.* FROM ${delta} AS d ANTI JOIN ${state} AS s ON ${sameKey(columnNames, 's', 'd')}`,
          ]
        : []),
      `INSERT INTO ${state} SELECT ${columns} FROM ${fresh}`,
      ...handOn('TABLE', name, mode, {
        append: `SELECT ${results} FROM ${state} WHERE ${over} <= ${WATERMARK}${groups}`,
        // All rows are one group, of which there is a result even without rows.
        update: `SELECT ${results} FROM ${keys.length > 0 ? touched : state}${groups}`,
        complete: `SELECT ${results} FROM ${state}${groups}`,
      }),
    ],
    evict: forgets ? [`DELETE FROM ${state} WHERE ${over} <= ${WATERMARK}`] : [],
    late: await lateForGroups(aggregate, `SELECT n FROM ${late}`, context),
    changed: `SELECT ${storable(types)} FROM ${fresh}`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadAll(state, types, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${fresh}) AS updated`,
    identity: {
      kind: 'retained aggregate',
      keys: texts.map((text, i) => ({ expression: text, type: types[i]!.type })),
      arguments: argumentTexts.map((text, i) => ({ expression: text, type: types[keys.length + i]!.type })),
      forgets: forgets ? 'groups behind the watermark' : 'nothing',
    },
  }
}
