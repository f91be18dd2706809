import { quoted } from '../../duckdb.ts'
import { column, type Expression, type FunctionCall, isCast, isFunction, named } from '../ast.ts'
import type { SqlText } from '../sql.ts'
import { sameExpression } from '../walk.ts'

/** An aggregate call under the name of its result. */
interface NamedCall {
  readonly name: string
  readonly call: FunctionCall
}

/**
 * The arguments of calls as columns of their own, behind `keys`, and the calls over these columns: what is kept when
 * a call's state cannot be merged.
 */
export function argumentsOf(keys: readonly Expression[], given: readonly NamedCall[]) {
  const items: Expression[] = [...keys]
  const keep = (expression: Expression): Expression => {
    // Constants, such as the fractions of a quantile, must stay constants.
    if (isConstant(expression)) return expression
    const known = items.find((item) => sameExpression(item, expression))
    if (known) return column(known.alias)
    items.push(named(expression, `argument ${items.length}`))
    return column(`argument ${items.length - 1}`)
  }
  const calls = given.map(({ name, call }) => ({
    name,
    call: {
      ...call,
      children: call.children.map(keep),
      filter: call.filter && keep(call.filter),
      order_bys: {
        ...call.order_bys,
        orders: (call.order_bys.orders as { expression: Expression }[]).map((order) => ({
          ...order,
          expression: keep(order.expression),
        })),
      },
    },
  }))
  return { items, calls }
}

/** Written as a value, a cast of one or a list of such: the same whenever it is computed. */
function isConstant(node: Expression): boolean {
  if (isCast(node)) return isConstant(node.child)
  const isList = isFunction(node) && node.function_name === 'list_value'
  return isList ? node.children.every(isConstant) : node.class === 'CONSTANT'
}

/** Calls as items of a select list. */
export async function callItems(calls: readonly NamedCall[], sql: SqlText): Promise<string[]> {
  const texts = await sql.printExpressions(calls.map(({ call }) => call))
  return texts.map((text, i) => `${text} AS ${quoted((calls[i] as NamedCall).name)}`)
}
