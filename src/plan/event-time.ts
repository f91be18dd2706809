import { type Expression, isColumnRef, isFunction, isStar } from './ast.ts'
import { nameOf } from './item-names.ts'
import type { Plan } from './plan.ts'
import { HOP, TUMBLE, WINDOW_TIME } from './rules/event-time-windows.ts'

/** What a column says about when its row happened: a moment, or a window that holds it. */
export type EventTime = 'instant' | 'window'

/** Event-time columns by lower-case name. */
export type EventTimes = ReadonlyMap<string, EventTime>

/**
 * The columns of a plan's result that carry event time under a watermark: the watermark's own column, and what
 * projections made of it by name, by window, or by the time of a window.
 */
export function eventTimes(plan: Plan): EventTimes {
  switch (plan.kind) {
    case 'scan':
    case 'static':
      return new Map()
    case 'watermark':
      return new Map([...eventTimes(plan.child), [plan.column.toLowerCase(), 'instant' as const]])
    case 'alias':
      return plan.columns.length > 0 ? new Map() : eventTimes(plan.child)
    case 'filter':
    case 'dedup':
    case 'top-n':
    case 'arrange':
      return eventTimes(plan.child)
    case 'project':
      return projected(plan.items, eventTimes(plan.child))
    case 'aggregate':
      return projected(
        plan.keys.map((key) => ({ ...key.expression, alias: key.name })),
        eventTimes(plan.child),
      )
    case 'join':
      return new Map([...eventTimes(plan.left), ...eventTimes(plan.right)])
    case 'union': {
      const right = eventTimes(plan.right)
      return new Map([...eventTimes(plan.left)].filter(([name, kind]) => right.get(name) === kind))
    }
  }
}

/** What an expression is, given the event-time columns below it. */
export function eventTimeOf(expression: Expression, below: EventTimes): EventTime | undefined {
  if (isColumnRef(expression)) return below.get((expression.column_names.at(-1) as string).toLowerCase())
  if (!isFunction(expression)) return undefined
  const argument = expression.children[0] && eventTimeOf(expression.children[0], below)
  const name = expression.function_name.toLowerCase()
  if ((name === TUMBLE || name === HOP) && argument === 'instant') return 'window'
  if (name === 'unnest' && argument === 'window') return 'window'
  return name === WINDOW_TIME && argument === 'window' ? 'instant' : undefined
}

function projected(items: readonly Expression[], below: EventTimes): EventTimes {
  const found = new Map<string, EventTime>()
  for (const item of items) {
    if (isStar(item)) {
      const gone = JSON.stringify([item['exclude_list'], item['replace_list']]).toLowerCase()
      for (const [name, kind] of below) if (!gone.includes(`"${name}"`)) found.set(name, kind)
    }
    const kind = eventTimeOf(item, below)
    if (kind) found.set(nameOf(item).toLowerCase(), kind)
  }
  return found
}
