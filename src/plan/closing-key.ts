import type { Expression } from './ast.ts'
import { isColumnRef } from './ast.ts'
import { type EventTime, eventTimeOf, eventTimes } from './event-time.ts'
import { nameOf } from './item-names.ts'
import { resultsBelow } from './over-results.ts'
import type { Aggregate, Plan } from './plan.ts'

/** The key of a group that says when it can change no more: a window under a watermark, or an event time. */
export interface ClosingKey {
  readonly name: string
  readonly expression: Expression
  readonly time: EventTime
}

export function closingKey(aggregate: Aggregate): ClosingKey | undefined {
  const below = eventTimes(aggregate.child)
  for (const key of aggregate.keys) {
    const time = eventTimeOf(key.expression, below)
    if (time) return { ...key, time }
  }
  return undefined
}

/**
 * Whether all results below that agree in `partition` are handed on in the same batch, in append mode: those of one window
 * are, since the watermark closes them together.
 *
 * @param child what stands over the results
 */
export function closesTogether(child: Plan, partition: readonly Expression[]): boolean {
  const results = child.kind === 'aggregate' ? child : resultsBelow({ kind: 'filter', child, predicate: ALL })
  if (results?.kind !== 'aggregate') return false
  const key = closingKey(results)
  const names = key ? namesOf(key.name, child) : new Set()
  return partition.some((expression) => {
    const column = windowOf(expression)
    return isColumnRef(column) && column.column_names.some((name) => names.has(name.toLowerCase()))
  })
}

const ALL = { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '' }

/** A window's start, or its end, says which window it is. */
function windowOf(expression: Expression): Expression {
  return expression.type === 'STRUCT_EXTRACT'
    ? windowOf((expression['children'] as readonly [Expression])[0])
    : expression
}

/** What a plan over results calls the key of that name; lower case. */
function namesOf(key: string, plan: Plan): ReadonlySet<string> {
  switch (plan.kind) {
    case 'aggregate':
      return new Set([key.toLowerCase()])
    case 'filter':
    case 'top-n':
      return namesOf(key, plan.child)
    case 'alias':
      return plan.columns.length > 0 ? new Set() : namesOf(key, plan.child)
    case 'project': {
      const below = namesOf(key, plan.child)
      const isKey = (item: Expression) =>
        isColumnRef(item) && below.has((item.column_names.at(-1) as string).toLowerCase())
      const kept = plan.items.flatMap((item) => (isKey(item) ? [nameOf(item).toLowerCase()] : []))
      const made = new Set(plan.items.map((item) => nameOf(item).toLowerCase()))
      const hasStar = plan.items.some(isPlainStar)
      return new Set([...kept, ...(hasStar ? [...below].filter((name) => !made.has(name)) : [])])
    }
    default:
      return new Set()
  }
}

/** A star that gives no name to another column. */
function isPlainStar(item: Expression): boolean {
  const lists = ['replace_list', 'rename_list', 'exclude_list', 'qualified_exclude_list']
  return (
    item.class === 'STAR' && lists.every((list) => ((item[list] ?? []) as readonly unknown[]).length === 0)
  )
}
