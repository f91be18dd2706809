import { call, cast, column, type Expression, integer, named, type SelectQuery, star } from './ast.ts'
import type { Plan } from './plan.ts'
import { rewrite, sameExpression, walk } from './walk.ts'

/** Which of the sets a copy of a row is for, counted from 0; also a key, so that their groups stay apart. */
export const GROUPING_SET = 'grouping set'

/** What GROUP BY with several sets becomes: one set over copies of the rows. */
interface Expanded {
  readonly child: Plan
  /** The keys of every group, in the order of `keys`, then the number of its set. */
  readonly keys: readonly Expression[]
  /** The SELECT without `grouping(…)`. */
  readonly select: SelectQuery
}

/**
 * GROUPING SETS, ROLLUP and CUBE: every row stands once in each set, with the keys that the set leaves out as NULL.
 *
 * `GROUP BY ROLLUP (page)` groups `SELECT *, unnest([0, 1]) AS "grouping set"` by
 * `CASE WHEN "grouping set" IN (0) THEN page END, "grouping set"`.
 *
 * @param resolve what a name in `grouping(…)` stands for, as in GROUP BY
 */
export function groupingSets(
  child: Plan,
  keys: readonly Expression[],
  select: SelectQuery,
  resolve: (key: Expression) => Expression,
): Expanded {
  const sets = select.group_sets
  const number = column(GROUPING_SET)
  const numbers = call(
    'list_value',
    sets.map((_, i) => integer(i)),
  )
  const copies = named(call('unnest', [numbers]), GROUPING_SET)
  const inSets = keys.map((key, i) => {
    const having = sets.flatMap((set, s) => (set.includes(i) ? [integer(s)] : []))
    return having.length === sets.length ? key : onlyIn(number, having, key)
  })
  const rewritten = rewrite([select.select_list, select.having, select.modifiers], (node) => {
    if (!isGrouping(node)) return undefined
    const operands = node['children'] as readonly Expression[]
    const positions = operands.map((operand) =>
      keys.findIndex((key) => sameExpression(key, resolve(operand))),
    )
    // Bit by bit from the right, as in DuckDB: 1 where the set leaves the key out.
    const bits = sets.map((set) => positions.reduce((sum, key) => sum * 2 + (set.includes(key) ? 0 : 1), 0))
    const place = call('+', [number, integer(1)], true)
    return cast(call('list_extract', [call('list_value', bits.map(integer)), place]), 'BIGINT', node.alias)
  })
  const [select_list, having, modifiers] = rewritten as [
    SelectQuery['select_list'],
    SelectQuery['having'],
    SelectQuery['modifiers'],
  ]
  return {
    child: { kind: 'project', child, items: [star, copies] },
    keys: [...inSets, number],
    select: { ...select, select_list, having, modifiers },
  }
}

/** Whether a SELECT has several sets, or asks which one a row is of. */
export function hasGroupingSets({ group_sets, select_list, having, modifiers }: SelectQuery): boolean {
  let asks = false
  walk([select_list, having, modifiers], (node) => {
    asks ||= isGrouping(node)
    return undefined
  })
  return asks || group_sets.length > 1
}

const isGrouping = (node: Expression): boolean => node.type === 'GROUPING_FUNCTION'

/** `CASE WHEN number IN (…) THEN key END` */
function onlyIn(number: Expression, sets: readonly Expression[], key: Expression): Expression {
  const condition: Expression = {
    class: 'OPERATOR',
    type: 'COMPARE_IN',
    alias: '',
    children: [number, ...sets],
  }
  return {
    class: 'CASE',
    type: 'CASE_EXPR',
    alias: '',
    case_checks: [{ when_expr: condition, then_expr: key }],
    else_expr: { ...integer(0), value: { type: { id: 'NULL', type_info: null }, is_null: true } },
  }
}
