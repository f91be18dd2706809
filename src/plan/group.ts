import type { Schema } from '../batch.ts'
import {
  column,
  type Expression,
  type FunctionCall,
  isColumnRef,
  isFunction,
  named,
  type SelectQuery,
} from './ast.ts'
import { refused } from './check.ts'
import { expandHops, hasLooseHop } from './expand-hops.ts'
import { GROUPING_SET, groupingSets, hasGroupingSets } from './grouping-sets.ts'
import { nameOf } from './item-names.ts'
import { mentions, rewriteNames } from './names.ts'
import type { Plan } from './plan.ts'
import type { SqlText } from './sql.ts'
import { sameExpression, walk } from './walk.ts'

/** Whether a SELECT makes groups, with GROUP BY or by calling an aggregate without one. */
export function isGrouped(select: SelectQuery, aggregates: ReadonlySet<string>): boolean {
  const { group_expressions, group_sets, aggregate_handling, select_list, having } = select
  if (
    group_expressions.length > 0 ||
    group_sets.length > 0 ||
    aggregate_handling === 'FORCE_AGGREGATES' ||
    having
  )
    return true
  return callsIn(select_list, aggregates).length > 0
}

/**
 * Splits a grouped SELECT into an Aggregate and what is computed from its result:
 *
 * `SELECT page, sum(n) + 1 AS m FROM s GROUP BY page HAVING count(*) > 2` becomes
 * `Project page, "sum(n)" + 1 AS m <- Filter "count_star()" > 2 <- Aggregate page; sum(n), count_star() <- s`.
 *
 * Answers the plan below the projection, and the SELECT with its list, QUALIFY and ORDER BY rewritten in the same way.
 */
export async function group(
  input: Plan,
  written: SelectQuery,
  columns: Schema,
  aggregates: ReadonlySet<string>,
  sql: SqlText,
): Promise<{ plan: Plan; select: SelectQuery }> {
  const keyExpressions = groupKeys(written, columns, aggregates)
  const {
    child,
    select,
    keys: expanded,
  } = hasGroupingSets(written)
    ? groupingSets(input, keyExpressions, written, (key) => groupKey(key, written, columns))
    : { child: input, select: written, keys: keyExpressions }
  if (expanded.length > keyExpressions.length) keyExpressions.push(column(GROUPING_SET))
  const calls = distinctCalls(
    [select.select_list, select.having, select.qualify, select.modifiers],
    aggregates,
  )
  if (hasLooseHop(expanded, calls)) {
    const hops = await expandHops(input, written, sql)
    return group(hops.plan, hops.select, columns, aggregates, sql)
  }
  calls.forEach(refuseCall)
  const texts = await sql.printExpressions([...keyExpressions, ...calls])
  const names = unique(
    [...keyExpressions, ...calls].map((e, i) => (isColumnRef(e) ? nameOf(e) : (texts[i] as string))),
  )
  const keys = expanded.map((expression, i) => ({ name: names[i] as string, expression }))
  const results = calls.map((call, i) => ({ name: names[keys.length + i] as string, call }))

  const toResult = (node: Expression): Expression | undefined => {
    const key = keyExpressions.findIndex((expression) => sameExpression(expression, node))
    if (key >= 0) return named(column(names[key] as string), node.alias)
    const result = results.find(({ call }) => sameExpression(call, node))
    return result && named(column(result.name), node.alias)
  }

  /** In a subquery, whose own tables may have columns of the same names: `clicks.page` is that of the group. */
  const toGroup = (node: Expression): Expression | undefined => {
    const own = isColumnRef(node) && column(...node.column_names.slice(1))
    const key = keyExpressions.findIndex(
      (each) => sameExpression(each, node) || (own && sameExpression(each, own)),
    )
    return key < 0 ? undefined : named(column(GROUPS, names[key] as string), node.alias)
  }
  const bound = <T>(root: T): T => rewriteNames(root, toResult, toGroup)

  const { having, select_list, qualify, modifiers } = bound({ ...select, from_table: undefined })
  let plan: Plan = { kind: 'aggregate', child, keys, calls: results }
  if (mentions([having, select_list, qualify, modifiers], GROUPS))
    plan = { kind: 'alias', child: plan, name: GROUPS, columns: [] }
  if (having) plan = { kind: 'filter', child: plan, predicate: having }
  return { plan, select: { ...select, select_list: select_list.map(withoutOwnName), qualify, modifiers } }
}

/** What a subquery calls the groups that it stands among. */
const GROUPS = 'groups of the query'

/** The few aggregates whose answer depends on more than the rows. */
function refuseCall({ function_name, children }: FunctionCall): void {
  const name = function_name.toLowerCase()
  if (name === 'reservoir_quantile') throw refused('sampling-aggregate')
  if (name === 'bitstring_agg' && children.length === 1) throw refused('bitstring-without-bounds')
}

/** `page AS page` says nothing. */
function withoutOwnName(item: Expression): Expression {
  return isColumnRef(item) && item.alias === item.column_names.at(-1) ? named(item, '') : item
}

/** Expressions behind GROUP BY: ordinals and names of items stand for the items; ALL is every item without a call. */
function groupKeys(select: SelectQuery, columns: Schema, aggregates: ReadonlySet<string>): Expression[] {
  const items = select.select_list
  if (select.aggregate_handling === 'FORCE_AGGREGATES') {
    return items.filter((item) => callsIn(item, aggregates).length === 0).map((item) => named(item, ''))
  }
  return select.group_expressions.map((expression) => groupKey(expression, select, columns))
}

function groupKey(expression: Expression, select: SelectQuery, columns: Schema): Expression {
  const items = select.select_list
  const ordinal = (expression['value'] as { value?: unknown } | undefined)?.value
  if (expression.class === 'CONSTANT' && typeof ordinal === 'number')
    return named(items[ordinal - 1] as Expression, '')
  if (!isColumnRef(expression) || expression.column_names.length > 1) return expression
  const name = (expression.column_names[0] as string).toLowerCase()
  // As in DuckDB, a column of the input comes before an item of the same name.
  const isColumn = columns.some((field) => field.name.toLowerCase() === name)
  const item = isColumn ? undefined : items.find((each) => each.alias.toLowerCase() === name)
  return named(item ?? expression, '')
}

function distinctCalls(roots: unknown, aggregates: ReadonlySet<string>): FunctionCall[] {
  const calls: FunctionCall[] = []
  for (const call of callsIn(roots, aggregates)) {
    if (!calls.some((known) => sameExpression(known, call))) calls.push({ ...call, alias: '' })
  }
  return calls
}

/** Outermost aggregate calls below `root`; a call inside a subquery belongs to that subquery. */
function callsIn(root: unknown, aggregates: ReadonlySet<string>): FunctionCall[] {
  const calls: FunctionCall[] = []
  walk(root, (node) => {
    if (node.class === 'SUBQUERY') return false
    if (!isFunction(node) || !aggregates.has(node.function_name.toLowerCase())) return undefined
    calls.push(node)
    return false
  })
  return calls
}

function unique(names: readonly string[]): string[] {
  const seen = new Map<string, number>()
  return names.map((name) => {
    const count = seen.get(name.toLowerCase()) ?? 0
    seen.set(name.toLowerCase(), count + 1)
    return count === 0 ? name : `${name}_${count}`
  })
}
