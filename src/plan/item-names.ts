import { type Expression, isColumnRef, isFunction, isStar, named, type SelectQuery } from './ast.ts'
import { isSession, isWindow } from './rules/event-time-windows.ts'
import type { SqlText } from './sql.ts'
import { walk } from './walk.ts'

/**
 * The SELECT with every item named as DuckDB would name it, so that a later rewrite of the expression
 * does not change the name of the column. `SELECT a + 1, t.b` becomes `SELECT a + 1 AS "(a + 1)", t.b`.
 */
export async function withNames(select: SelectQuery, sql: SqlText): Promise<SelectQuery> {
  const items = await Promise.all(select.select_list.map((item) => namedItem(item, sql)))
  return { ...select, select_list: items }
}

/** A query with every window that a list makes, in subqueries too, under the name that it has by default. */
export function withWindowNames<T>(root: T): T {
  if (Array.isArray(root)) return root.map(withWindowNames) as T
  if (typeof root !== 'object' || root === null) return root
  const copy = Object.fromEntries(Object.entries(root).map(([key, value]) => [key, withWindowNames(value)]))
  const items = copy['select_list'] as readonly Expression[] | undefined
  return (items ? { ...copy, select_list: items.map(namedWindow) } : copy) as T
}

/** As in Spark, and the same for each of the functions that make one. */
function namedWindow(item: Expression): Expression {
  if (item.alias !== '') return item
  return isWindow(item) ? named(item, 'window') : isSession(item) ? named(item, 'session_window') : item
}

async function namedItem(item: Expression, sql: SqlText): Promise<Expression> {
  if (item.alias !== '' || isColumnRef(item) || makesItsOwnNames(item)) return item
  if (isWindow(item) || isSession(item)) return namedWindow(item)
  const [text] = await sql.printExpressions([item])
  return named(item, text as string)
}

/** `*`, `COLUMNS(…)` and `unnest` of a struct make several columns; one name would not fit them. */
function makesItsOwnNames(item: Expression): boolean {
  let several = false
  walk(item, (node) => {
    several ||= isStar(node) || (isFunction(node) && node.function_name.toLowerCase() === 'unnest')
    return undefined
  })
  return several
}

/** The name of the column that an item makes. */
export function nameOf(item: Expression): string {
  return item.alias !== '' ? item.alias : isColumnRef(item) ? (item.column_names.at(-1) as string) : ''
}
