import type { BaseTable, TableRef } from './ast.ts'

type Node = { readonly [key: string]: unknown }

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTable = (node: Node): node is Node & BaseTable =>
  node['type'] === 'BASE_TABLE' && 'table_name' in node

/** Every table named anywhere below `root`, also inside subqueries and CTEs. */
export function tablesIn(root: unknown): BaseTable[] {
  if (Array.isArray(root)) return root.flatMap(tablesIn)
  if (!isNode(root)) return []
  return isTable(root) ? [root] : Object.values(root).flatMap(tablesIn)
}

/** A copy of `root` in which `replace` has swapped tables; unchanged subtrees are shared. */
export function replaceTables<T>(root: T, replace: (table: BaseTable) => TableRef | undefined): T {
  if (Array.isArray(root)) return root.map((item) => replaceTables(item, replace)) as T
  if (!isNode(root)) return root
  if (isTable(root)) return (replace(root) as T | undefined) ?? root
  return Object.fromEntries(
    Object.entries(root).map(([key, value]) => [key, replaceTables(value, replace)]),
  ) as T
}
