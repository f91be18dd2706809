import { quoted } from '../../duckdb.ts'
import { call, type Expression, named, star } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { fannedOut } from '../expand-hops.ts'
import { type MergeableCall, mergeable } from '../mergeable.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { isSession } from '../rules/event-time-windows.ts'
import { eventKeyEnd, isLate, lateForGroups } from './closing.ts'
import { inTwoParts } from './in-two-parts.ts'
import { countedOnce } from './late-rows.ts'
import { mergeIntoState } from './merge-into-state.ts'
import {
  handOn,
  isForgetting,
  loadLatest,
  type Operator,
  type OperatorContext,
  ROWS,
  storable,
  WATERMARK,
} from './operator.ts'
import { panesOf, panesOperator } from './panes.ts'
import { retained } from './retained.ts'
import { sessionOperator } from './session.ts'

/**
 * Groups over the whole stream: calls that can be merged from batch to batch are, those of the others are computed from
 * the values that they need.
 */
export async function aggregateOperators(
  given: Aggregate,
  context: OperatorContext,
): Promise<readonly Operator[]> {
  const aggregate = fannedOut(given)
  if (aggregate.keys.some(({ expression }) => isSession(expression)))
    return [await sessionOperator(aggregate, context)]
  const kinds = await mergeableCalls(aggregate, context)
  const calls = kinds.filter((kind) => kind !== undefined)
  const [merged, values] = [
    { ...given, calls: given.calls.filter((_, i) => kinds[i]) },
    { ...aggregate, calls: aggregate.calls.filter((_, i) => !kinds[i]) },
  ]
  if (values.calls.length === 0) return [await mergedOperator(merged, calls, context)]
  if (merged.calls.length === 0) return [await retained(values, context)]
  const part = (kind: string) => ({ ...context, name: `${context.name}_${kind}` })
  return inTwoParts(
    aggregate,
    await mergedOperator(merged, calls, part('merged')),
    await retained(values, part('values')),
    context,
  )
}

/**
 * Groups whose calls are all merged.
 *
 * Algebra: with S the state and D the partial aggregates of the batch, `S' = S MERGE D` key by key. Handed on are,
 * in complete mode, all of S'; in update mode the groups of D; in append mode the groups whose window the watermark
 * has passed, which are then forgotten. Groups behind the watermark of the batch before are dropped from D and counted.
 */
async function mergedOperator(
  given: Aggregate,
  calls: readonly MergeableCall[],
  context: OperatorContext,
): Promise<Operator> {
  const { name, mode, analysis, print } = context
  const aggregate = fannedOut(given)
  const panes = await panesOf(given, calls, analysis)
  if (panes) return panesOperator(given, calls, panes, context)
  const over = eventKeyEnd(aggregate)
  const keys = aggregate.keys.map((key) => key.name)
  const partial: Plan = {
    ...aggregate,
    calls: calls.flatMap(({ state }) => state.map((column) => ({ name: column.name, call: column.partial }))),
  }
  const counted: Plan = over
    ? { ...partial, calls: [...partial.calls, { name: ROWS, call: call('count_star', []) }] }
    : partial
  const types = await describePlan(partial, analysis)
  const texts = await analysis.sql.printExpressions(aggregate.keys.map((key) => key.expression))
  const select = await print(counted)

  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const touched = `${name}_touched`
  const columns = types.map((field) => quoted(field.name)).join(', ')
  const results = [
    ...keys.map(quoted),
    ...calls.map((each, i) => `${each.final} AS ${quoted(aggregate.calls[i]!.name)}`),
  ].join(', ')
  const forgets = over !== undefined && isForgetting(mode)
  const dropLate = [
    `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT coalesce(sum(${quoted(ROWS)}), 0)::BIGINT AS n FROM ${delta} WHERE (${isLate(over, mode)})${countedOnce(aggregate)}`,
    `DELETE FROM ${delta} WHERE ${isLate(over, mode)}`,
  ]
  return {
    name,
    keeps: over
      ? `one row a group of ${texts.join(', ')}; ${forgets ? `forgets a group when the watermark passes ${over}` : 'forgets nothing, since all results are asked for'}`
      : `one row a group${texts.length > 0 ? ` of ${texts.join(', ')}` : ''}; forgets nothing: no key is bounded by a watermark`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT ${columns} FROM ${delta} LIMIT 0`,
      `CREATE TEMP TABLE ${quoted(touched)} AS FROM ${state}`,
      ...handOn('VIEW', name, mode, {
        append: `SELECT ${results} FROM ${state} WHERE ${over} <= ${WATERMARK}`,
        update: `SELECT ${results} FROM ${quoted(touched)}`,
        complete: `SELECT ${results} FROM ${state}`,
      }),
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(over ? dropLate : []),
      `CREATE OR REPLACE TEMP TABLE ${quoted(touched)} AS FROM ${state} LIMIT 0`,
      mergeIntoState(
        { state: `${name}_state`, delta: `${name}_delta`, touched },
        types.slice(0, keys.length),
        calls,
      ),
    ],
    evict: forgets ? [`DELETE FROM ${state} WHERE ${over} <= ${WATERMARK}`] : [],
    late: await lateForGroups(aggregate, `SELECT n FROM ${late}`, context),
    changed: `SELECT ${storable(types)} FROM ${quoted(touched)}`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadLatest(state, types, keys, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${delta}) AS updated`,
    identity: {
      kind: 'aggregate',
      keys: texts.map((text, i) => ({ expression: text, type: types[i]!.type })),
      state: types.slice(keys.length).map(({ name: column, type }) => ({ column, type })),
      forgets: forgets ? 'groups behind the watermark' : 'nothing',
    },
  }
}

/** How each call is merged; undefined for those that cannot be. */
async function mergeableCalls(
  aggregate: Aggregate,
  { analysis }: OperatorContext,
): Promise<(MergeableCall | undefined)[]> {
  const withArgument = aggregate.calls.filter(({ call: { children } }) => children.length > 0)
  const items = withArgument.map(({ call: { children } }, i) =>
    named(children[0] as Expression, `argument ${i}`),
  )
  const isStarOnly = items.length === 0
  const probe: Plan = { kind: 'project', child: aggregate.child, items: isStarOnly ? [star] : items }
  const types = isStarOnly ? [] : await describePlan(probe, analysis)
  return aggregate.calls.map((each) =>
    mergeable(each.name, each.call, types[withArgument.indexOf(each)]?.type),
  )
}
