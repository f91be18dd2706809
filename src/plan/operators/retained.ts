import { quoted } from '../../duckdb.ts'
import { column, type Expression, named } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { eventKeyEnd, isLate } from './closing.ts'
import { loadAll, type Operator, type OperatorContext, sameKey, storable, WATERMARK } from './operator.ts'

/**
 * Groups by an aggregate whose state cannot be merged (distinct counts, quantiles, lists, anything ordered): the
 * arguments of its calls are kept row by row, and the groups that a batch touches are computed again from them.
 *
 * Algebra: `S' = S + D` as multisets of rows; a group's result is the call over its rows in S'.
 */
export async function retained(aggregate: Aggregate, context: OperatorContext): Promise<Operator> {
  const { name, mode, analysis, print } = context
  const over = eventKeyEnd(aggregate)
  const keys = aggregate.keys.map((key) => key.name)
  const { items, calls } = argumentsOf(aggregate)
  const input: Plan = { kind: 'project', child: aggregate.child, items }
  const types = await describePlan(input, analysis)
  const texts = await analysis.sql.printExpressions(aggregate.keys.map((key) => key.expression))
  const select = await print(input)

  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const columns = types.map((field) => quoted(field.name)).join(', ')
  const touched = `${state} AS s SEMI JOIN ${delta} AS d ON ${sameKey(keys, 's', 'd')}`
  const handedOn = { append: `${state} WHERE ${over} <= ${WATERMARK}`, update: touched, complete: state }[
    mode
  ]
  const stored: Aggregate = {
    ...aggregate,
    keys: aggregate.keys.map((key) => ({ ...key, expression: column(key.name) })),
    calls,
  }
  const results = await resultsOf(stored, context)
  const groups = keys.length > 0 ? ` GROUP BY ${keys.map(quoted).join(', ')}` : ''
  return {
    name,
    keeps: `the arguments of its calls, one row an input row, since they cannot be merged; ${over ? `forgets a group when the watermark passes ${over}` : 'forgets nothing: no key is bounded by a watermark'}`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT ${columns} FROM ${delta} LIMIT 0`,
      `CREATE TEMP TABLE ${quoted(name)} AS SELECT ${results} FROM ${state}${groups} LIMIT 0`,
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(over
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE ${isLate(over)}`,
            `DELETE FROM ${delta} WHERE ${isLate(over)}`,
          ]
        : []),
      `INSERT INTO ${state} SELECT ${columns} FROM ${delta}`,
      `CREATE OR REPLACE TEMP TABLE ${quoted(name)} AS SELECT ${results} FROM ${handedOn}${groups}`,
    ],
    evict: over && mode !== 'complete' ? [`DELETE FROM ${state} WHERE ${over} <= ${WATERMARK}`] : [],
    late: over && `SELECT n FROM ${late}`,
    changed: `SELECT ${storable(types)} FROM ${delta}`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadAll(state, types, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${delta}) AS updated`,
    identity: {
      kind: 'retained aggregate',
      keys: texts.map((text, i) => ({ expression: text, type: types[i]!.type })),
      state: types.slice(keys.length).map(({ name: stateColumn, type }) => ({ column: stateColumn, type })),
    },
  }
}

/** The keys and the arguments of all calls as columns, and the calls over these columns. */
function argumentsOf(aggregate: Aggregate) {
  const items: Expression[] = aggregate.keys.map((key) => named(key.expression, key.name))
  const keep = (expression: Expression): Expression => {
    // Constants, such as the fraction of a quantile, must stay constants.
    if (expression.class === 'CONSTANT') return expression
    items.push(named(expression, `argument ${items.length}`))
    return column(`argument ${items.length - 1}`)
  }
  const calls = aggregate.calls.map(({ name, call: each }) => ({
    name,
    call: {
      ...each,
      children: each.children.map(keep),
      filter: each.filter && keep(each.filter),
      order_bys: {
        ...each.order_bys,
        orders: (each.order_bys.orders as { expression: Expression }[]).map((order) => ({
          ...order,
          expression: keep(order.expression),
        })),
      },
    },
  }))
  return { items, calls }
}

async function resultsOf(stored: Aggregate, { analysis }: OperatorContext): Promise<string> {
  const calls = await analysis.sql.printExpressions(stored.calls.map((each) => each.call))
  return [
    ...stored.keys.map((key) => quoted(key.name)),
    ...calls.map((text, i) => `${text} AS ${quoted(stored.calls[i]!.name)}`),
  ].join(', ')
}
