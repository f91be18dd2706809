import type { Schema } from '../batch.ts'
import {
  type Expression,
  isColumnRef,
  isStar,
  named,
  type OrderModifier,
  type SelectQuery,
  star,
} from './ast.ts'
import { nameOf } from './item-names.ts'
import type { Plan } from './plan.ts'

/** The keys of `SELECT DISTINCT ON (…)`; undefined for every other SELECT. */
export function distinctOn({ modifiers }: SelectQuery): readonly Expression[] | undefined {
  const distinct = modifiers.find((modifier) => modifier.type === 'DISTINCT_MODIFIER')
  const targets = distinct?.['distinct_on_targets'] as readonly Expression[] | undefined
  return targets && targets.length > 0 ? targets : undefined
}

/**
 * `SELECT DISTINCT ON (key) …` as an operator of its own: without ORDER BY the first row of a key to come, with it the
 * first in that order, as `QUALIFY row_number() OVER (PARTITION BY key ORDER BY …) = 1` says it.
 */
export function firstOn(
  child: Plan,
  select: SelectQuery,
  columns: Schema,
): { plan: Plan; select: SelectQuery } {
  const isColumn = (name: string) => columns.some((field) => field.name.toLowerCase() === name)
  // A number, or a name that no column has, is an item of the list.
  const meant = (expression: Expression): Expression => {
    const ordinal = (expression['value'] as { value?: unknown } | undefined)?.value
    if (expression.class === 'CONSTANT' && typeof ordinal === 'number')
      return named(select.select_list[ordinal - 1] as Expression, '')
    const name =
      isColumnRef(expression) && expression.column_names.length === 1 ? nameOf(expression) : undefined
    if (name === undefined || isColumn(name.toLowerCase())) return expression
    const item = select.select_list.find((each) => nameOf(each).toLowerCase() === name.toLowerCase())
    return item ? named(item, '') : expression
  }
  const keys = (distinctOn(select) ?? []).map(meant)
  const order = select.modifiers.find(
    (modifier): modifier is OrderModifier => modifier.type === 'ORDER_MODIFIER',
  )
  const without = (type: string) => select.modifiers.filter((modifier) => modifier.type !== type)
  if (order) {
    const orders = order.orders.map((each) => ({ ...each, expression: meant(each.expression) }))
    const plan: Plan = { kind: 'top-n', child, partition: keys, orders, limit: 1, rank: undefined }
    const modifiers = without('DISTINCT_MODIFIER').filter((modifier) => modifier !== order)
    return { plan, select: { ...select, modifiers } }
  }
  const keyItems = keys.map((key, index) => named(key, `distinct on ${index}`))
  const names = keyItems.map(({ alias }) => alias)
  const plan: Plan = {
    kind: 'dedup',
    child: { kind: 'project', child, items: [star, ...keyItems] },
    keys: names,
    withinMs: undefined,
  }
  const items = select.select_list.map((item) =>
    isStar(item) ? { ...item, exclude_list: [...(item['exclude_list'] as string[]), ...names] } : item,
  )
  return { plan, select: { ...select, select_list: items, modifiers: without('DISTINCT_MODIFIER') } }
}
