import { type Expression, isColumnRef, isFunction, isStar } from './ast.ts'
import { nameOf } from './item-names.ts'
import type { Plan } from './plan.ts'
import { HOP, SESSION, TUMBLE, WINDOW_TIME } from './rules/event-time-windows.ts'
import { joinTimes } from './time-bounds.ts'

/** What a column says about when its row happened. */
export interface EventTime {
  /** A moment, or a window that holds it. */
  readonly kind: 'instant' | 'window'
  /** How far behind the watermark a row may still come here, milliseconds: what a join holds back on the way. */
  readonly lagMs: number
}

/** Event-time columns by lower-case name. */
export type EventTimes = ReadonlyMap<string, EventTime>

/**
 * The columns of a plan's result that carry event time under a watermark: the watermark's own column, and what
 * projections and joins made of it by name, by window, or by the time of a window.
 */
export function eventTimes(plan: Plan): EventTimes {
  switch (plan.kind) {
    case 'scan':
    case 'static':
    // What the code of a user makes of time is not known.
    case 'map-groups':
      return new Map()
    case 'watermark':
      return new Map([[plan.column.toLowerCase(), { kind: 'instant', lagMs: 0 }]])
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
    case 'stream-join':
      return joinTimes(plan, eventTimes(plan.left), eventTimes(plan.right))
    case 'union': {
      const right = eventTimes(plan.right)
      const both = [...eventTimes(plan.left)].flatMap(([name, time]) => {
        const other = right.get(name)
        const lagMs = Math.max(time.lagMs, other?.lagMs ?? 0)
        return other?.kind === time.kind ? [[name, { kind: time.kind, lagMs }] as const] : []
      })
      return new Map(both)
    }
  }
}

/** What an expression is, given the event-time columns below it. */
export function eventTimeOf(expression: Expression, below: EventTimes): EventTime | undefined {
  if (isColumnRef(expression)) return below.get((expression.column_names.at(-1) as string).toLowerCase())
  if (!isFunction(expression)) return undefined
  const argument = expression.children[0] && eventTimeOf(expression.children[0], below)
  if (!argument) return undefined
  const name = expression.function_name.toLowerCase()
  if ([TUMBLE, HOP, SESSION].includes(name) && argument.kind === 'instant')
    return { ...argument, kind: 'window' }
  if (name === 'unnest' && argument.kind === 'window') return argument
  return name === WINDOW_TIME && argument.kind === 'window' ? { ...argument, kind: 'instant' } : undefined
}

function projected(items: readonly Expression[], below: EventTimes): EventTimes {
  const found = new Map<string, EventTime>()
  for (const item of items) {
    if (isStar(item)) {
      const gone = JSON.stringify([item['exclude_list'], item['replace_list']]).toLowerCase()
      for (const [name, time] of below) if (!gone.includes(`"${name}"`)) found.set(name, time)
    }
    const time = eventTimeOf(item, below)
    if (time) found.set(nameOf(item).toLowerCase(), time)
  }
  return found
}
