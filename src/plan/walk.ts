import type { Expression } from './ast.ts'

type Node = { readonly [key: string]: unknown }

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isExpression = (value: unknown): value is Expression =>
  isNode(value) && typeof value['class'] === 'string' && typeof value['alias'] === 'string'

/**
 * Visits every expression below and including `root`, outermost first, also inside subqueries.
 * `visit` returns false to stay out of a subtree.
 */
export function walk(root: unknown, visit: (node: Expression) => boolean | undefined): void {
  if (Array.isArray(root)) {
    for (const item of root) walk(item, visit)
  } else if (isNode(root)) {
    if (isExpression(root) && visit(root) === false) return
    for (const value of Object.values(root)) walk(value, visit)
  }
}

/**
 * A copy of `root` in which `replace` has swapped expressions, outermost first; what it answers is not entered again.
 * Subtrees without a replacement are shared with the input, which is never changed.
 */
export function rewrite<T>(root: T, replace: (node: Expression) => Expression | undefined): T {
  if (Array.isArray(root)) {
    const items = root.map((item) => rewrite(item, replace))
    return items.some((item, i) => item !== root[i]) ? (items as T) : root
  }
  if (!isNode(root)) return root
  if (isExpression(root)) {
    const replaced = replace(root)
    if (replaced) return replaced as T
  }
  let copy: Record<string, unknown> | undefined
  for (const [key, value] of Object.entries(root)) {
    const rewritten = rewrite(value, replace)
    if (rewritten === value) continue
    copy ??= { ...root }
    copy[key] = rewritten
  }
  return (copy as T | undefined) ?? root
}

/** Whether two expressions are the same but for their names. */
export function sameExpression(a: Expression, b: Expression): boolean {
  return JSON.stringify({ ...a, alias: '' }, inKeyOrder) === JSON.stringify({ ...b, alias: '' }, inKeyOrder)
}

/** DuckDB compares identifiers without regard to case, and so must a comparison of trees. */
function inKeyOrder(key: string, value: unknown): unknown {
  if (key === 'column_names') return (value as string[]).map((name) => name.toLowerCase())
  if (!isNode(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
}
