import { quoted } from '../../duckdb.ts'
import type { Analysis } from '../analysis.ts'
import { call, column, type Expression, named, text } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimeOf, eventTimes } from '../event-time.ts'
import { fannedOut } from '../expand-hops.ts'
import type { MergeableCall, StateColumn } from '../mergeable.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { HOP, isHop, TUMBLE } from '../rules/event-time-windows.ts'
import { closingAt, isLate, lateForGroups } from './closing.ts'
import { countedOnce } from './late-rows.ts'
import { mergeIntoState } from './merge-into-state.ts'
import {
  handOn,
  isForgetting,
  LATE_BEFORE,
  loadLatest,
  type Operator,
  type OperatorContext,
  ROWS,
  sameKey,
  storable,
  WATERMARK,
} from './operator.ts'

/** Where a pane begins: a key of the state. */
const PANE = 'start of the pane'

/** With more panes than that between two windows, one row a window and group is the smaller state. */
const PANES_PER_SLIDE_MAX = 8

/** How the windows of a hop are cut into panes: the widest pieces that no window's edge divides. */
export interface Panes {
  readonly key: Aggregate['keys'][number]
  readonly widthUs: bigint
}

/** The panes of an aggregate by hopping windows; undefined where it has none, or panes would not pay. */
export async function panesOf(
  aggregate: Aggregate,
  calls: readonly MergeableCall[],
  analysis: Analysis,
): Promise<Panes | undefined> {
  const key = aggregate.keys.find(({ expression }) => isHop(expression))
  const below = eventTimes(aggregate.child)
  // Another time among the keys may be what closes a group.
  if (aggregate.keys.some((each) => each !== key && eventTimeOf(each.expression, below))) return undefined
  if (!key || !calls.every(({ state }) => state.every((each) => each.mergeAll))) return undefined
  const [, slide, size] = key.expression['children'] as [Expression, Expression, Expression]
  const [slideUs, sizeUs] = [await analysis.microseconds(slide), await analysis.microseconds(size)]
  if (!slideUs || !sizeUs || slideUs >= sizeUs) return undefined
  const widthUs = greatestCommonDivisor(slideUs, sizeUs)
  return slideUs / widthUs <= PANES_PER_SLIDE_MAX ? { key, widthUs } : undefined
}

/**
 * Groups by hopping windows. A row is aggregated once, into its pane, and windows are put together from panes when they
 * are handed on.
 *
 * Algebra: with S the panes and D the partial aggregates of the batch by pane, `S' = S MERGE D`; a window's result is the
 * merge of its panes in S'. Handed on are, in append mode, the windows that the watermark has passed since the batch
 * before; in update mode the windows of D that it had not passed then; in complete mode all. A row is late for the
 * windows behind the watermark of the batch before, and dropped when that is all of its windows. A pane is forgotten when
 * the watermark passes the last of its windows.
 */
export async function panesOperator(
  aggregate: Aggregate,
  calls: readonly MergeableCall[],
  panes: Panes,
  context: OperatorContext,
): Promise<Operator> {
  const { name, mode, analysis, print } = context
  const [ts, slide, size, ...shift] = panes.key.expression['children'] as [Expression, Expression, Expression]
  const others = aggregate.keys.filter((key) => key !== panes.key)
  const keys = [...others.map((key) => key.name), PANE]
  const width = text(`${panes.widthUs} microseconds`)
  const start = call('struct_extract', [call(TUMBLE, [ts, width, ...shift]), text('start')])
  const partial: Plan = {
    ...aggregate,
    keys: [...others, { name: PANE, expression: start }],
    calls: calls.flatMap(({ state }) => state.map((each) => ({ name: each.name, call: each.partial }))),
  }
  const counted: Plan = {
    ...partial,
    calls: [...partial.calls, { name: ROWS, call: call('count_star', []) }],
  }
  const types = await describePlan(partial, analysis)
  const typeOf = (column: string) => types.find((field) => field.name === column)?.type ?? ''
  const select = await print(counted)
  const [windowText, windows, lastStart, length, ...texts] = (await analysis.sql.printExpressions([
    named(panes.key.expression, ''),
    call(HOP, [column(PANE), slide, size, ...shift]),
    call('struct_extract', [call(TUMBLE, [column(PANE), slide, ...shift]), text('start')]),
    size,
    ...others.map((key) => key.expression),
  ])) as [string, string, string, string, ...string[]]

  const time = eventTimeOf(panes.key.expression, eventTimes(aggregate.child))
  const closed = (end: string) => closingAt(end, time?.lagMs ?? 0)
  const isBounded = time !== undefined
  const forgets = isBounded && isForgetting(mode)
  const lastEnd = `${lastStart} + CAST(${length} AS INTERVAL)`
  const [state, delta, late] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_late`)]
  const touched = `${name}_touched`
  const columns = types.map((field) => quoted(field.name)).join(', ')
  const window = quoted(panes.key.name)
  const groups = [...others.map((key) => quoted(key.name)), window].join(', ')
  const merged = calls
    .flatMap((each) => each.state)
    .map((each) => `${mergedAll(each, typeOf(each.name))} AS ${quoted(each.name)}`)
  const results = [
    ...aggregate.keys.map((key) => quoted(key.name)),
    ...calls.map((each, i) => `${each.final} AS ${quoted(aggregate.calls[i]!.name)}`),
  ].join(', ')
  /** Windows put together from those panes of the state which `panesWhere` lets through. */
  const assembled = (panesWhere: string, windowsWhere: string) =>
    `SELECT ${results} FROM (SELECT ${[groups, ...merged].join(', ')} FROM ` +
    `(SELECT *, unnest(${windows}) AS ${window} FROM ${state}${panesWhere}) AS s${windowsWhere} GROUP BY ${groups})`
  const end = closed(`${window}."end"`)
  const isOpen = forgets ? ` WHERE coalesce(${end} > ${LATE_BEFORE}, true)` : ''
  const near = `CAST(${length} AS INTERVAL)`
  const touchedWindows = `SELECT DISTINCT ${groups} FROM (SELECT *, unnest(${windows}) AS ${window} FROM ${delta})${isOpen}`
  const touchedKeys = sameKey([...others.map((key) => key.name), panes.key.name], 's', 't')
  const lateWindows = `len(list_filter(${windows}, lambda w: coalesce(${closed('w."end"')} <= ${LATE_BEFORE}, false)))`
  const pane = quoted(PANE)
  const nothing = `${assembled('', '')} LIMIT 0`
  return {
    name,
    keeps: `one row a group of ${[...texts, `pane of ${Number(panes.widthUs) / 1_000_000} s`].join(', ')}, of which the windows ${windowText} are put together; ${forgets ? 'forgets a pane when the watermark passes its last window' : isBounded ? 'forgets nothing in complete mode' : 'forgets nothing: no key is bounded by a watermark'}`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT ${columns} FROM ${delta} LIMIT 0`,
      `CREATE TEMP TABLE ${quoted(touched)} AS FROM ${state}`,
      ...handOn('TABLE', name, mode, { append: nothing, update: nothing, complete: nothing }),
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(forgets
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT coalesce(sum(${quoted(ROWS)} * ${lateWindows}), 0)::BIGINT AS n FROM ${delta} WHERE ${pane} IS NOT NULL${countedOnce(aggregate)}`,
          ]
        : []),
      `DELETE FROM ${delta} WHERE ${forgets ? isLate(closed(lastEnd), mode) : `${pane} IS NULL`}`,
      `CREATE OR REPLACE TEMP TABLE ${quoted(touched)} AS FROM ${state} LIMIT 0`,
      mergeIntoState(
        { state: `${name}_state`, delta: `${name}_delta`, touched },
        types.slice(0, keys.length),
        calls,
      ),
      ...handOn('TABLE', name, mode, {
        append: assembled(
          ` WHERE ${closed(pane)} < ${WATERMARK}`,
          ` WHERE ${end} <= ${WATERMARK} AND coalesce(${end} > ${LATE_BEFORE}, true)`,
        ),
        update: assembled(
          ` WHERE ${pane} BETWEEN (SELECT min(${pane}) FROM ${delta}) - ${near} AND (SELECT max(${pane}) FROM ${delta}) + ${near}`,
          ` SEMI JOIN (${touchedWindows}) AS t ON ${touchedKeys}`,
        ),
        complete: assembled('', ''),
      }),
    ],
    evict: forgets ? [`DELETE FROM ${state} WHERE ${closed(lastEnd)} <= ${WATERMARK}`] : [],
    late: forgets ? await lateForGroups(fannedOut(aggregate), `SELECT n FROM ${late}`, context) : undefined,
    changed: `SELECT ${storable(types)} FROM ${quoted(touched)}`,
    snapshot: `SELECT ${storable(types)} FROM ${state}`,
    load: (files) => loadLatest(state, types, keys, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${delta}) AS updated`,
    identity: {
      kind: 'panes',
      windows: windowText,
      keys: texts.map((expression, i) => ({ expression, type: types[i]!.type })),
      state: types.slice(keys.length).map(({ name: column, type }) => ({ column, type })),
      forgets: forgets ? 'panes behind the watermark' : 'nothing',
    },
  }
}

/** In the type that the state has, so that what is made of it has the type it always had. */
function mergedAll({ name, mergeAll }: StateColumn, type: string): string {
  const merged = mergeAll!(quoted(name))
  return type.startsWith('AGGREGATE_STATE') ? merged : `CAST(${merged} AS ${type})`
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b)
}
