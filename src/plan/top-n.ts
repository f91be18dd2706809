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
  const compared = limitOf(select.qualify as Expression)
  const ranking = compared && rankingOf(select, compared.left)
  if (ranking && isWindowCall(ranking) && TIED.test(ranking.type)) throw refused('tied-ranks')
  if (!compared || !isRowNumber(ranking)) throw refused('window-function')
  const { left, limit } = compared
  const item = itemOf(select, left)
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

/** Whether QUALIFY asks for the first rows by `row_number()`. */
export function isRanked(select: SelectQuery): boolean {
  const limit = limitOf(select.qualify as Expression)
  return limit !== undefined && isRowNumber(rankingOf(select, limit.left))
}

function rankingOf(select: SelectQuery, left: Expression): Expression | undefined {
  return isWindowCall(left) ? left : itemOf(select, left)
}

function itemOf(select: SelectQuery, left: Expression): Expression | undefined {
  return select.select_list.find(
    (each) => isWindowCall(each) && (sameExpression(each, left) || isNamed(left, each.alias)),
  )
}

/** `left <= limit`, also as `<`, or `= 1`. */
function limitOf(qualify: Expression): { left: Expression; limit: number } | undefined {
  const limit = (qualify['right'] as { value?: { value?: unknown } } | undefined)?.value?.value
  if (qualify.class !== 'COMPARISON' || typeof limit !== 'number') return undefined
  const most = {
    COMPARE_LESSTHANOREQUALTO: limit,
    COMPARE_LESSTHAN: limit - 1,
    COMPARE_EQUAL: limit === 1 ? 1 : 0,
  }[qualify.type]
  return most && most >= 1 ? { left: qualify['left'] as Expression, limit: most } : undefined
}

const TIED = /^WINDOW_RANK/

function isRowNumber(node: Expression | undefined): node is WindowCall {
  return (
    node !== undefined && isWindowCall(node) && node.type === 'WINDOW_ROW_NUMBER' && node.orders.length > 0
  )
}

function isNamed(node: Expression, alias: string): boolean {
  return (
    isColumnRef(node) &&
    node.column_names.length === 1 &&
    node.column_names[0]?.toLowerCase() === alias.toLowerCase()
  )
}
