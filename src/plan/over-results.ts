import { type Expression, isColumnRef, isStar } from './ast.ts'
import { nameOf } from './item-names.ts'
import type { Aggregate, Dedup, Plan, TopN } from './plan.ts'
import { isSession } from './rules/event-time-windows.ts'
import { walk } from './walk.ts'

/** An operator over the results of an aggregation, computed from all of them in every batch instead of keeping a state. */
export type OverResults = Aggregate | TopN | Dedup

/** Whether a node stands over an aggregation with nothing between them but filters, projections and others of its kind. */
export function isOverResults(node: Plan): node is OverResults {
  if (node.kind === 'aggregate' && node.keys.some(({ expression }) => isSession(expression))) return false
  return ['aggregate', 'top-n', 'dedup'].includes(node.kind) && resultsBelow(node) !== undefined
}

/** Whether the rows of a plan are results of an aggregation, with nothing done to them but filters and projections. */
export function hasResultsBelow(plan: Plan): boolean {
  return plan.kind === 'aggregate' || resultsBelow({ kind: 'project', child: plan, items: [] }) !== undefined
}

/** The operator whose results a node is over. */
export function resultsBelow(node: Plan): Aggregate | OverResults | undefined {
  const child = 'child' in node ? node.child : undefined
  switch (child?.kind) {
    case 'filter':
    case 'project':
    case 'alias':
      return resultsBelow(child)
    case 'aggregate':
      return child
    case 'top-n':
    case 'dedup':
      return isOverResults(child) ? child : undefined
    default:
      return undefined
  }
}

/**
 * Whether a group of the results below stays in one group, or partition, here for ever. Else a group could become empty,
 * and what update mode has handed on of it could not be taken back.
 */
export function keepsItsGroups(node: Aggregate | TopN): boolean {
  const keys = node.kind === 'aggregate' ? node.keys.map((key) => key.expression) : node.partition
  const fixed = fixedColumns(node.child)
  return keys.every((key) => isMadeOf(key, fixed))
}

/** The same rows, and perhaps some more. */
export function withoutFilters(plan: Plan): Plan {
  if (plan.kind === 'filter') return withoutFilters(plan.child)
  return plan.kind === 'project' || plan.kind === 'alias'
    ? { ...plan, child: withoutFilters(plan.child) }
    : plan
}

/** Columns that say which result a row is, and do not change with the rows behind it; lower case. */
function fixedColumns(plan: Plan): ReadonlySet<string> {
  switch (plan.kind) {
    case 'aggregate':
      return new Set(plan.keys.map((key) => key.name.toLowerCase()))
    case 'filter':
    case 'top-n':
      return fixedColumns(plan.child)
    case 'alias':
      return plan.columns.length > 0 ? new Set() : fixedColumns(plan.child)
    case 'project': {
      const below = fixedColumns(plan.child)
      const names = plan.items.flatMap((item) => {
        if (!isStar(item)) return isMadeOf(item, below) ? [nameOf(item).toLowerCase()] : []
        const gone = JSON.stringify([item['exclude_list'], item['replace_list']]).toLowerCase()
        return [...below].filter((name) => !gone.includes(`"${name}"`))
      })
      return new Set(names)
    }
    default:
      return new Set()
  }
}

function isMadeOf(expression: Expression, columns: ReadonlySet<string>): boolean {
  let isFixed = true
  walk(expression, (node) => {
    if (node.class === 'SUBQUERY') isFixed = false
    if (isColumnRef(node) && !columns.has((node.column_names.at(-1) as string).toLowerCase())) isFixed = false
    return undefined
  })
  return isFixed
}
