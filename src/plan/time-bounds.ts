import { type ColumnRef, type Expression, isColumnRef, isFunction } from './ast.ts'
import type { EventTime, EventTimes } from './event-time.ts'
import type { StreamJoin } from './plan.ts'

/** The sides of a join as its condition names them: `l.x`, `r.y`. */
export const LEFT = 'l'
export const RIGHT = 'r'

/**
 * How far apart the event times of two joined rows may be: `least <= left - right <= most`, milliseconds. A bound that
 * the condition does not give is undefined, and rows that wait for a partner on its other side are never forgotten.
 */
export interface TimeBounds {
  readonly left: { readonly column: string; readonly time: EventTime }
  readonly right: { readonly column: string; readonly time: EventTime }
  readonly leastMs: number | undefined
  readonly mostMs: number | undefined
}

/** One side of a comparison: a time column of one side, shifted by a constant. */
interface Shifted {
  readonly side: typeof LEFT | typeof RIGHT
  readonly column: string
  readonly time: EventTime
  readonly shiftMs: number
}

/** What the condition of a join says about the event times of its sides. */
export function timeBounds(join: StreamJoin, left: EventTimes, right: EventTimes): TimeBounds | undefined {
  const times = { [LEFT]: left, [RIGHT]: right }
  const facts = conjuncts(join.condition)
    .flatMap(comparisons)
    .flatMap(({ less, more }) => {
      const [a, b] = [shifted(less, times), shifted(more, times)]
      return a && b && a.side !== b.side && a.time.kind === b.time.kind ? [{ a, b }] : []
    })
  let bounds: TimeBounds | undefined
  for (const { a, b } of facts) {
    // a + s <= b + t. With a on the right, left - right >= s - t; with a on the left, left - right <= t - s.
    const [onLeft, onRight] = a.side === LEFT ? [a, b] : [b, a]
    const least = a.side === RIGHT ? a.shiftMs - b.shiftMs : undefined
    const most = a.side === LEFT ? b.shiftMs - a.shiftMs : undefined
    bounds = {
      left: onLeft,
      right: onRight,
      leastMs: larger(bounds?.leastMs, least),
      mostMs: smaller(bounds?.mostMs, most),
    }
  }
  return bounds
}

/** The event times of a join's result: a pair may come as late as the slower partner lets it. */
export function joinTimes(join: StreamJoin, leftTimes: EventTimes, rightTimes: EventTimes): EventTimes {
  const found = new Map<string, EventTime>()
  const bounds = timeBounds(join, leftTimes, rightTimes)
  const add = (columns: StreamJoin['columns']['left'], name: string, time: EventTime, lagMs: number) => {
    const output = columns.find(({ source }) => source.toLowerCase() === name.toLowerCase())?.output
    if (output) found.set(output.toLowerCase(), { ...time, lagMs: Math.max(0, lagMs) })
  }
  if (bounds?.leastMs !== undefined) {
    const { left, right, leastMs } = bounds
    add(join.columns.left, left.column, left.time, Math.max(left.time.lagMs, right.time.lagMs - leastMs))
  }
  if (bounds?.mostMs !== undefined) {
    const { left, right, mostMs } = bounds
    add(join.columns.right, right.column, right.time, Math.max(right.time.lagMs, left.time.lagMs + mostMs))
  }
  return found
}

export function conjuncts(condition: Expression | null): Expression[] {
  if (!condition) return []
  if (condition.type !== 'CONJUNCTION_AND') return [condition]
  return (condition['children'] as Expression[]).flatMap(conjuncts)
}

/** A condition as facts `less <= more`; strict ones are weakened, which only keeps rows longer. */
function comparisons(node: Expression): { less: Expression; more: Expression }[] {
  const [left, right] = [node['left'] as Expression, node['right'] as Expression]
  switch (node.type) {
    case 'COMPARE_EQUAL':
      return [
        { less: left, more: right },
        { less: right, more: left },
      ]
    case 'COMPARE_LESSTHAN':
    case 'COMPARE_LESSTHANOREQUALTO':
      return [{ less: left, more: right }]
    case 'COMPARE_GREATERTHAN':
    case 'COMPARE_GREATERTHANOREQUALTO':
      return [{ less: right, more: left }]
    case 'COMPARE_BETWEEN': {
      const { input, lower, upper } = node as unknown as Record<'input' | 'lower' | 'upper', Expression>
      return [
        { less: lower, more: input },
        { less: input, more: upper },
      ]
    }
    default:
      return []
  }
}

type TimesOfSides = Readonly<Record<typeof LEFT | typeof RIGHT, EventTimes>>

function shifted(node: Expression, times: TimesOfSides): Shifted | undefined {
  if (isColumnRef(node)) return timeColumn(node, times)
  if (!isFunction(node) || !node.is_operator || node.children.length !== 2) return undefined
  const sign = { '+': 1, '-': -1 }[node.function_name]
  const [base, offset] = node.children as [Expression, Expression]
  const column = isColumnRef(base) ? timeColumn(base, times) : undefined
  const ms = intervalMs(offset)
  if (!sign || !column || ms === undefined || column.time.kind !== 'instant') return undefined
  return { ...column, shiftMs: sign * ms }
}

function timeColumn(node: ColumnRef, times: TimesOfSides): Shifted | undefined {
  const [side, name] = node.column_names
  if ((side !== LEFT && side !== RIGHT) || name === undefined || node.column_names.length > 2)
    return undefined
  const time = times[side].get(name.toLowerCase())
  return time && { side, column: name, time, shiftMs: 0 }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
}

/** `INTERVAL '5 minutes'`, `INTERVAL 5 MINUTE` or `'5 minutes'`, of one fixed-length unit. */
export function intervalMs(node: Expression | undefined): number | undefined {
  const constant = (each: Expression | undefined): unknown =>
    each?.class === 'CAST'
      ? constant(each['child'] as Expression)
      : (each?.['value'] as { value?: unknown } | undefined)?.value
  if (!node) return undefined
  const isInterval = node.class === 'CAST' && (node['cast_type'] as { id: string }).id === 'INTERVAL'
  if (isInterval || node.class === 'CONSTANT') {
    const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+?)s?\s*$/i.exec(String(constant(node))) ?? []
    return scaled(Number(amount), unit)
  }
  if (!isFunction(node)) return undefined
  const unit = /^to_([a-z]+?)s$/.exec(node.function_name)?.[1]
  return scaled(Number(constant(node.children[0])), unit)
}

function scaled(amount: number, unit: string | undefined): number | undefined {
  const scale = UNIT_MS[unit?.toLowerCase() ?? '']
  return scale === undefined || !Number.isFinite(amount) ? undefined : amount * scale
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b)
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}
