import {
  column,
  type Expression,
  isColumnRef,
  isStar,
  isWindowCall,
  named,
  type SelectQuery,
  star,
  type WindowCall,
} from './ast.ts'
import { rewriteNames } from './names.ts'
import type { Plan } from './plan.ts'
import { isRanked, topN } from './top-n.ts'
import { rewrite, sameExpression } from './walk.ts'
import { windowCallsIn } from './window-calls.ts'

/**
 * A SELECT with window functions over the results of an aggregation, `columns` of them. Whether they can be answered is
 * up to the output mode: over all results, or over those of one window, which are handed on together.
 *
 * `QUALIFY row_number() … <= n` is the first n of every partition; any other QUALIFY filters what the functions give.
 */
export function overGroups(
  child: Plan,
  written: SelectQuery,
  columns: readonly { readonly name: string }[],
): { plan: Plan; select: SelectQuery } {
  const select = withItemsInCalls(written, columns)
  if (!select.qualify) return { plan: child, select }
  if (isRanked(select)) return topN(child, select)
  const itemOf = (node: Expression) => {
    const name = isColumnRef(node) && node.column_names.length === 1 ? node.column_names[0]! : undefined
    return name === undefined || has(columns, name) ? undefined : itemNamed(select, name)
  }
  const qualify = rewriteNames(select.qualify, itemOf)
  const calls: WindowCall[] = []
  for (const call of windowCallsIn([select.select_list, qualify])) {
    if (!calls.some((known) => sameExpression(known, call))) calls.push(call)
  }
  const names = calls.map((_, index) => `over ${index}`)
  const toColumn = (node: Expression) => {
    const index = calls.findIndex((call) => sameExpression(call, node))
    return index < 0 ? undefined : named(column(names[index] as string), node.alias)
  }
  const computed: Plan = {
    kind: 'project',
    child,
    items: [star, ...calls.map((call, index) => named(call, names[index] as string))],
  }
  const items = select.select_list.map((item) =>
    isStar(item)
      ? { ...item, exclude_list: [...(item['exclude_list'] as string[]), ...names] }
      : rewrite(item, toColumn),
  )
  return {
    plan: { kind: 'filter', child: computed, predicate: rewrite(qualify, toColumn) },
    select: { ...select, select_list: items, qualify: null },
  }
}

/** `PARTITION BY w` may mean the item `… AS w`: what is computed before the list cannot look at it. */
function withItemsInCalls(select: SelectQuery, columns: readonly { readonly name: string }[]): SelectQuery {
  const meant = (node: Expression): Expression | undefined => {
    const name = isColumnRef(node) && node.column_names.length === 1 ? node.column_names[0]! : undefined
    const item = name === undefined || has(columns, name) ? undefined : itemNamed(select, name)
    return item && named(item, node.alias)
  }
  return rewrite(select, (node) => {
    if (!isWindowCall(node)) return undefined
    const { alias, ...parts } = node
    return { ...rewriteNames(parts, meant), alias } as WindowCall
  })
}

const has = (columns: readonly { readonly name: string }[], name: string): boolean =>
  columns.some((each) => each.name.toLowerCase() === name.toLowerCase())

function itemNamed({ select_list }: SelectQuery, name: string): Expression | undefined {
  const item = select_list.find((each) => each.alias.toLowerCase() === name.toLowerCase())
  return item && named(item, '')
}
