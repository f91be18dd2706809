import { type Expression, isColumnRef, isSubquery } from './ast.ts'
import { tablesIn } from './tables.ts'
import { rewrite, walk } from './walk.ts'

type Replace = (node: Expression) => Expression | undefined

interface Lambda extends Expression {
  readonly lhs: Expression
  readonly expr: Expression
}

const isLambda = (node: Expression): node is Lambda => node.class === 'LAMBDA'

/**
 * Swaps names that a SELECT gives to the columns of its own FROM. A name within a subquery is first of all one of the
 * subquery's own tables, so there only `correlated` swaps, and only names that say whose they are: `outer.page`, where
 * no table of the subquery is called `outer`. Within a lambda its parameters are nobody else's names.
 */
export function rewriteNames<T>(root: T, replace: Replace, correlated: Replace = () => undefined): T {
  return rewrite(root, (node) => {
    if (isLambda(node)) {
      const own = parametersOf(node)
      const expr = rewriteNames(node.expr, unlessNamed(own, replace), unlessNamed(own, correlated))
      return { ...node, expr }
    }
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

/** `x`, or of `(x, i)` both: the parser says it with a row. */
function parametersOf({ lhs }: Lambda): readonly string[] {
  const names: string[] = []
  walk(lhs, (node) => {
    if (isColumnRef(node)) names.push(node.column_names[0]!.toLowerCase())
    return undefined
  })
  return names
}

function unlessNamed(parameters: readonly string[], replace: Replace): Replace {
  return (node) =>
    isColumnRef(node) && parameters.includes(node.column_names[0]!.toLowerCase()) ? undefined : replace(node)
}

/** Whether any expression qualifies a column, a star or a row by `name`. */
export function mentions(root: unknown, name: string): boolean {
  let found = false
  walk(root, (node) => {
    const qualifier = isColumnRef(node) ? node.column_names[0] : node['relation_name']
    if (typeof qualifier === 'string' && qualifier.toLowerCase() === name.toLowerCase()) found = true
    return undefined
  })
  return found
}
