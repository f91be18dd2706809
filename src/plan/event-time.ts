import { type ColumnRef, type Expression, isColumnRef, isFunction, isStar } from './ast.ts'
import { nameOf } from './item-names.ts'
import type { Plan } from './plan.ts'
import { HOP, SESSION, TUMBLE, WINDOW_TIME } from './rules/event-time-windows.ts'
import { bucket, intervalMs, joinTimes } from './time-bounds.ts'

/** What a column says about when its row happened. */
export interface EventTime {
  /** A moment, or a window that holds it. */
  readonly kind: 'instant' | 'window'
  /** How far behind the watermark a row may still come here, milliseconds: what a join holds back on the way. */
  readonly lagMs: number
  /** Of a window whose size is known. */
  readonly sizeMs?: number
}

/** Event-time columns by lower-case name; below an alias also by `qualified` name. */
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
    case 'alias': {
      const below = plan.columns.length > 0 ? new Map() : eventTimes(plan.child)
      return new Map(
        [...below].flatMap(([name, time]) => [
          [name, time],
          [qualified(plan.name, name), time],
        ]),
      )
    }
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
  if (isColumnRef(expression)) return timeOfColumn(expression, below)
  if (expression.type === 'STRUCT_EXTRACT') {
    const [window, field] = expression['children'] as [Expression, Expression]
    const time = eventTimeOf(window, below)
    return time && fieldOf(time, String((field['value'] as { value?: unknown } | undefined)?.value))
  }
  if (!isFunction(expression)) return undefined
  const piece = expression.function_name.toLowerCase() === TUMBLE ? undefined : bucket(expression)
  if (piece) {
    const moment = eventTimeOf(piece.moment, below)
    // Its rows may come until the piece is over, which is by so much later than its beginning.
    return moment?.kind === 'instant' ? { ...moment, lagMs: moment.lagMs + piece.lengthMs } : undefined
  }
  const argument = expression.children[0] && eventTimeOf(expression.children[0], below)
  if (!argument) return undefined
  const name = expression.function_name.toLowerCase()
  if ([TUMBLE, HOP, SESSION].includes(name) && argument.kind === 'instant') {
    const sizeMs = name === SESSION ? undefined : intervalMs(expression.children[name === HOP ? 2 : 1])
    return { ...argument, kind: 'window', ...(sizeMs === undefined ? {} : { sizeMs }) }
  }
  if (name === 'unnest' && argument.kind === 'window') return argument
  return name === WINDOW_TIME && argument.kind === 'window' ? { ...argument, kind: 'instant' } : undefined
}

/** No name of a column has it, so a qualified name cannot be mistaken for a plain one. */
const DOT = '\u0000'

const qualified = (relation: string, name: string): string => relation.toLowerCase() + DOT + name

function timeOfColumn({ column_names }: ColumnRef, below: EventTimes): EventTime | undefined {
  const [first, second, third] = column_names.map((name) => name.toLowerCase()) as [string, string?, string?]
  const inRelation = second === undefined ? undefined : below.get(qualified(first, second))
  if (inRelation) return third === undefined ? inRelation : fieldOf(inRelation, third)
  const plain = below.get(first)
  return plain && second !== undefined ? fieldOf(plain, second) : plain
}

/** The start of a window is behind the watermark when its end is. */
function fieldOf({ kind, lagMs, sizeMs }: EventTime, field: string): EventTime | undefined {
  if (kind !== 'window') return undefined
  if (field === 'end') return { kind: 'instant', lagMs }
  return field === 'start' && sizeMs !== undefined ? { kind: 'instant', lagMs: lagMs + sizeMs } : undefined
}

function projected(items: readonly Expression[], below: EventTimes): EventTimes {
  const found = new Map<string, EventTime>()
  for (const item of items) {
    if (isStar(item)) {
      const gone = JSON.stringify([item['exclude_list'], item['replace_list']]).toLowerCase()
      for (const [name, time] of below)
        if (!name.includes(DOT) && !gone.includes(`"${name}"`)) found.set(name, time)
    }
    const time = eventTimeOf(item, below)
    if (time) found.set(nameOf(item).toLowerCase(), time)
  }
  return found
}
