import { call, column, type Expression, named, type SelectQuery, star } from './ast.ts'
import { refused } from './check.ts'
import type { Aggregate, Plan } from './plan.ts'
import { isHop } from './rules/event-time-windows.ts'
import type { SqlText } from './sql.ts'
import { rewrite, sameExpression, walk } from './walk.ts'

/** An aggregation by hopping windows, over one copy of a row for every window that holds it. */
export function fannedOut(aggregate: Aggregate): Aggregate {
  const key = aggregate.keys.find(({ expression }) => isHop(expression))
  if (!key) return aggregate
  const windows = named(call('unnest', [named(key.expression, '')]), key.name)
  return {
    ...aggregate,
    child: { kind: 'project', child: aggregate.child, items: [star, windows] },
    keys: aggregate.keys.map((each) => (each === key ? { ...key, expression: column(key.name) } : each)),
  }
}

/** Whether a hop stands anywhere but as the one window that a group goes by. */
export function hasLooseHop(keys: readonly Expression[], others: readonly unknown[]): boolean {
  let hops = 0
  const count = (root: unknown) =>
    walk(root, (node) => {
      if (isHop(node)) hops++
      return undefined
    })
  for (const key of keys) if (!isHop(key)) count(key)
  count(others)
  return hops > 0 || keys.filter(isHop).length > 1
}

/** Whether any clause but FROM makes hopping windows. */
export function hasHop(select: SelectQuery): boolean {
  let found = false
  const { from_table, cte_map, ...clauses } = select
  walk(clauses, (node) => {
    found ||= isHop(node)
    return undefined
  })
  return found
}

/**
 * `hop(ts, slide, size)` gives a row one copy for every window that holds it:
 *
 * `SELECT hop(at, …) AS w, page FROM s` becomes `SELECT "hop(at, …)" AS w, page FROM (SELECT *, unnest(hop(at, …)) … FROM s)`.
 */
export async function expandHops(
  child: Plan,
  select: SelectQuery,
  sql: SqlText,
): Promise<{ plan: Plan; select: SelectQuery }> {
  const { from_table, cte_map, ...clauses } = select
  const hops: Expression[] = []
  walk(clauses, (node) => {
    if (isHop(node) && !hops.some((known) => sameExpression(known, node))) hops.push(node)
    return undefined
  })
  const [hop, ...others] = hops
  if (!hop) return { plan: child, select }
  if (others.length > 0) throw refused('several-hops')
  const [name] = (await sql.printExpressions([hop])) as [string]
  const windows = named(call('unnest', [named(hop, '')]), name)
  const plan: Plan = { kind: 'project', child, items: [star, windows] }
  const rewritten = rewrite(clauses, (node) => (isHop(node) ? named(column(name), node.alias) : undefined))
  return { plan, select: { ...rewritten, from_table, cte_map } as SelectQuery }
}
