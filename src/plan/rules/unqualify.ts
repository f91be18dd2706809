import { type Expression, isColumnRef, isStar } from '../ast.ts'
import { rewriteNames } from '../names.ts'

/**
 * `c.page` becomes `page` where FROM has one relation only, so that text with and without the qualifier, and a
 * DataFrame which has none, are the same plan. A column that is itself called `c` keeps its meaning, and so does every
 * name in a subquery, whose own tables may have a `page` as well.
 */
export function unqualify<T>(tree: T, relation: string, columns: readonly { readonly name: string }[]): T {
  const isRelation = (name: unknown) =>
    typeof name === 'string' && name.toLowerCase() === relation.toLowerCase()
  if (columns.some((column) => isRelation(column.name))) return tree
  return rewriteNames(tree, (node): Expression | undefined => {
    if (isStar(node) && isRelation(node['relation_name'])) return { ...node, relation_name: '' }
    if (!isColumnRef(node) || node.column_names.length < 2 || !isRelation(node.column_names[0]))
      return undefined
    return { ...node, column_names: node.column_names.slice(1) }
  })
}
