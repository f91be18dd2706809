import { type Expression, isColumnRef, isSubquery } from './ast.ts'
import { tablesIn } from './tables.ts'
import { rewrite } from './walk.ts'

type Replace = (node: Expression) => Expression | undefined

/**
 * Swaps names that a SELECT gives to the columns of its own FROM. A name within a subquery is first of all one of the
 * subquery's own tables, so there only `correlated` swaps, and only names that say whose they are: `outer.page`, where
 * no table of the subquery is called `outer`.
 */
export function rewriteNames<T>(root: T, replace: Replace, correlated: Replace = () => undefined): T {
  return rewrite(root, (node) => {
    if (!isSubquery(node)) return replace(node)
    const own = tablesIn(node.subquery).map((table) => (table.alias || table.table_name).toLowerCase())
    const isOuter = (name: Expression) =>
      isColumnRef(name) && name.column_names.length > 1 && !own.includes(name.column_names[0]!.toLowerCase())
    return {
      ...node,
      // What stands before IN and the like is no part of the subquery.
      ...('child' in node && { child: rewriteNames(node['child'], replace, correlated) }),
      subquery: rewrite(node.subquery, (name) => (isOuter(name) ? correlated(name) : undefined)),
    }
  })
}
