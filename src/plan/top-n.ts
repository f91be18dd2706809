import {
  column,
  type Expression,
  isColumnRef,
  isStar,
  isWindowCall,
  type SelectQuery,
  type WindowCall,
} from './ast.ts'
import { refused } from './check.ts'
import type { Plan } from './plan.ts'
import { sameExpression } from './walk.ts'

/** The rank where the SELECT gives it no name. */
const RANK = 'rank of the row'

/**
 * `QUALIFY row_number() OVER (PARTITION BY … ORDER BY …) <= n`, also with the row number named in the select list, as
 * an operator of its own.
 *
 * @throws STREAMING_UNSUPPORTED for any other QUALIFY
 */
export function topN(child: Plan, select: SelectQuery): { plan: Plan; select: SelectQuery } {
  const { left, limit } = comparison(select.qualify as Expression)
  const item = select.select_list.find(
    (each) => isWindowCall(each) && (sameExpression(each, left) || isNamed(left, each.alias)),
  )
  const ranking = isWindowCall(left) ? left : item
  if (!ranking || !isRowNumber(ranking)) throw refused('window-function')
  const rank = item?.alias ?? RANK
  const plan: Plan = {
    kind: 'top-n',
    child,
    partition: ranking.partitions,
    orders: ranking.orders,
    limit,
    rank: item ? rank : undefined,
  }
  const items = select.select_list.map((each) => {
    if (sameExpression(each, ranking)) return column(rank)
    // The star would bring the rank along, which comes where the list says it.
    return isStar(each) && item
      ? { ...each, exclude_list: [...(each['exclude_list'] as string[]), rank] }
      : each
  })
  return { plan, select: { ...select, select_list: items, qualify: null } }
}

function comparison(qualify: Expression): { left: Expression; limit: number } {
  const limit = (qualify['right'] as { value?: { value?: unknown } } | undefined)?.value?.value
  if (qualify.class !== 'COMPARISON' || typeof limit !== 'number') throw refused('window-function')
  const most = {
    COMPARE_LESSTHANOREQUALTO: limit,
    COMPARE_LESSTHAN: limit - 1,
    COMPARE_EQUAL: limit === 1 ? 1 : 0,
  }[qualify.type]
  if (!most || most < 1) throw refused('window-function')
  return { left: qualify['left'] as Expression, limit: most }
}

function isRowNumber(node: Expression): node is WindowCall {
  return isWindowCall(node) && node.type === 'WINDOW_ROW_NUMBER' && node.orders.length > 0
}

function isNamed(node: Expression, alias: string): boolean {
  return (
    isColumnRef(node) &&
    node.column_names.length === 1 &&
    node.column_names[0]?.toLowerCase() === alias.toLowerCase()
  )
}
