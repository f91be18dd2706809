import { type ColumnRef, type Expression, isColumnRef, isFunction } from './ast.ts'
import type { EventTime, EventTimes } from './event-time.ts'
import type { StreamJoin } from './plan.ts'
import { TUMBLE } from './rules/event-time-windows.ts'

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

/** By which event times rows of a join are forgotten: those that the condition bounds on both sides, if there are such. */
export function timeBounds(join: StreamJoin, left: EventTimes, right: EventTimes): TimeBounds | undefined {
  const found = allBounds(join, left, right)
  return found.find(({ leastMs, mostMs }) => leastMs !== undefined && mostMs !== undefined) ?? found[0]
}

/**
 * What the condition of a join says about the event times of its sides, a pair of columns each: that two windows are the
 * same says nothing about how far apart the moments in them are.
 */
function allBounds(join: StreamJoin, left: EventTimes, right: EventTimes): TimeBounds[] {
  const times = { [LEFT]: left, [RIGHT]: right }
  const conditions = conjuncts(join.condition)
  const all = (isAsOf(join) ? conditions.filter((each) => !isEquality(each)) : conditions)
    .flatMap(comparisons)
    .flatMap((fact) => boundsOf(fact, times))
  const byColumns = new Map<string, TimeBounds>()
  for (const each of all) {
    const columns = `${each.left.column}\0${each.right.column}`.toLowerCase()
    const known = byColumns.get(columns)
    byColumns.set(columns, {
      ...each,
      leastMs: larger(known?.leastMs, each.leastMs),
      mostMs: smaller(known?.mostMs, each.mostMs),
    })
  }
  return [...byColumns.values()]
}

export function isAsOf(join: StreamJoin): boolean {
  return join.type === 'ASOF' || join.type === 'ASOF LEFT'
}

export function isEquality(condition: Expression): boolean {
  return condition.type === 'COMPARE_EQUAL'
}

/** `a + s <= b + t` as a bound on `left - right`. */
function boundsOf({ less, more, isEqual, slackMs = 0 }: Comparison, times: TimesOfSides): TimeBounds[] {
  const [a, b] = [shifted(less, times), shifted(more, times)]
  if (!a || !b || a.side === b.side || a.time.kind !== b.time.kind) return []
  // Windows compare by their starts: of two lengths, the one that starts later may end earlier.
  if (a.time.kind === 'window' && !isEqual && (!a.time.sizeMs || a.time.sizeMs !== b.time.sizeMs)) return []
  return a.side === RIGHT
    ? [{ left: b, right: a, leastMs: a.shiftMs - b.shiftMs - slackMs, mostMs: undefined }]
    : [{ left: a, right: b, leastMs: undefined, mostMs: b.shiftMs - a.shiftMs + slackMs }]
}

/** The event times of a join's result: a pair may come as late as the slower partner lets it. */
export function joinTimes(join: StreamJoin, leftTimes: EventTimes, rightTimes: EventTimes): EventTimes {
  const found = new Map<string, EventTime>()
  const add = (columns: StreamJoin['columns']['left'], name: string, time: EventTime, lagMs: number) => {
    const output = columns.find(({ source }) => source.toLowerCase() === name.toLowerCase())?.output
    const known = output === undefined ? undefined : found.get(output.toLowerCase())
    if (output === undefined || (known && known.lagMs <= lagMs)) return
    found.set(output.toLowerCase(), { ...time, lagMs: Math.max(0, lagMs) })
  }
  for (const { left, right, leastMs, mostMs } of allBounds(join, leftTimes, rightTimes)) {
    if (leastMs !== undefined) {
      add(join.columns.left, left.column, left.time, Math.max(left.time.lagMs, right.time.lagMs - leastMs))
    }
    if (mostMs !== undefined) {
      add(join.columns.right, right.column, right.time, Math.max(right.time.lagMs, left.time.lagMs + mostMs))
    }
  }
  return found
}

export function conjuncts(condition: Expression | null): Expression[] {
  if (!condition) return []
  if (condition.type !== 'CONJUNCTION_AND') return [condition]
  return (condition['children'] as Expression[]).flatMap(conjuncts)
}

interface Comparison {
  readonly less: Expression
  readonly more: Expression
  readonly isEqual?: true
  /** By so much `less` may yet be greater. */
  readonly slackMs?: number
}

/** A condition as facts `less <= more`; strict ones are weakened, which only keeps rows longer. */
function comparisons(node: Expression): Comparison[] {
  const [left, right] = [node['left'] as Expression, node['right'] as Expression]
  switch (node.type) {
    case 'COMPARE_EQUAL': {
      const [a, b] = [bucket(left), bucket(right)]
      const slackMs = Math.min(a?.lengthMs ?? 0, b?.lengthMs ?? 0)
      const sides = a && b ? [a.moment, b.moment] : [left, right]
      const [less, more] = sides as [Expression, Expression]
      return [
        { less, more, isEqual: true, slackMs },
        { less: more, more: less, isEqual: true, slackMs },
      ]
    }
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

/** The longest that a unit of `date_trunc` is, days. */
const UNIT_DAYS: Readonly<Record<string, number>> = { week: 7, month: 31, quarter: 92, year: 366 }

/** A moment cut to the piece of time that it lies in: moments in the same piece are less than its length apart. */
export function bucket(node: Expression): { moment: Expression; lengthMs: number } | undefined {
  if (!isFunction(node)) return undefined
  const [first, second] = node.children
  const piece = (moment: Expression | undefined, lengthMs: number | undefined) =>
    moment && lengthMs !== undefined ? { moment, lengthMs } : undefined
  switch (node.function_name.toLowerCase()) {
    case TUMBLE:
      return piece(first, intervalMs(second))
    case 'time_bucket':
      return piece(second, intervalMs(first))
    case 'date_trunc':
    case 'datetrunc': {
      const unit = String((first?.['value'] as { value?: unknown } | undefined)?.value).toLowerCase()
      return piece(second, scaled(UNIT_DAYS[unit] ?? 1, UNIT_DAYS[unit] === undefined ? unit : 'day'))
    }
    default:
      return undefined
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
