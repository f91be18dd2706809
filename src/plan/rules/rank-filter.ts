import {
  column,
  type Expression,
  isBaseTable,
  isColumnRef,
  isSelect,
  isSubqueryRef,
  isWindowCall,
  type Query,
  type SelectQuery,
  statement,
} from '../ast.ts'
import { tablesIn } from '../tables.ts'
import { conjuncts } from '../time-bounds.ts'

/**
 * `SELECT … FROM (SELECT …, row_number() OVER (…) AS rn FROM s) WHERE rn <= 3`, as everybody writes it whose SQL has no
 * QUALIFY, becomes the same with `QUALIFY rn <= 3` in the subquery, or in the common table that FROM names. WHERE is left
 * as it is: it lets all of those rows pass.
 */
export function rankFilter(select: SelectQuery): SelectQuery {
  const { from_table: from } = select
  if (isSubqueryRef(from) && from.column_name_alias.length === 0) {
    const inner = withQualify(from.subquery.node, select, from.alias)
    return inner
      ? ({ ...select, from_table: { ...from, subquery: statement(inner) } } as SelectQuery)
      : select
  }
  if (!isBaseTable(from) || tablesIn(select).filter(({ table_name }) => isSame(table_name, from)).length > 1)
    return select
  const map = select.cte_map.map.map((entry) => {
    if (!isSame(entry.key, from) || entry.value.aliases.length > 0) return entry
    const inner = withQualify(entry.value.query.node, select, from.alias || from.table_name)
    return inner ? { ...entry, value: { ...entry.value, query: statement(inner) } } : entry
  })
  return { ...select, cte_map: { ...select.cte_map, map } }
}

const isSame = (name: string, { table_name }: { readonly table_name: string }): boolean =>
  name.toLowerCase() === table_name.toLowerCase()

function withQualify(inner: Query, { where_clause }: SelectQuery, relation: string): SelectQuery | undefined {
  if (!isSelect(inner) || inner.qualify || inner.modifiers.length > 0) return undefined
  const ranks = inner.select_list.filter((item) => isWindowCall(item) && item.alias !== '')
  for (const condition of conjuncts(where_clause)) {
    const rank = ranks.find(({ alias }) =>
      isNamed(condition['left'] as Expression | undefined, alias, relation),
    )
    const limit = condition['right'] as Expression | undefined
    if (condition.class !== 'COMPARISON' || !rank || limit?.class !== 'CONSTANT') continue
    return { ...inner, qualify: { ...condition, left: column(rank.alias) } }
  }
  return undefined
}

/** `rn`, or `t.rn` where FROM says `t`. */
function isNamed(node: Expression | undefined, alias: string, relation: string): boolean {
  if (!node || !isColumnRef(node)) return false
  const [name, ...qualifier] = node.column_names.map((each) => each.toLowerCase()).reverse()
  return (
    name === alias.toLowerCase() && (qualifier.length === 0 || qualifier.join() === relation.toLowerCase())
  )
}
