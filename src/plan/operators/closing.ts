import { quoted } from '../../duckdb.ts'
import { closingKey } from '../closing-key.ts'
import type { EventTime } from '../event-time.ts'
import type { Aggregate } from '../plan.ts'
import { type LateRows, lateRows } from './late-rows.ts'
import { type HandsOn, isForgetting, LATE_BEFORE, type OperatorContext } from './operator.ts'

/** SQL for the moment after which a group cannot change: the end of its window, or its event time itself. */
export function eventKeyEnd(aggregate: Aggregate): string | undefined {
  const key = closingKey(aggregate)
  return key && closing(quoted(key.name), key.time)
}

/** The rows of an aggregate that fall into groups which the watermark has closed; `count` says how many. */
export async function lateForGroups(
  aggregate: Aggregate,
  count: string,
  context: OperatorContext,
): Promise<LateRows | undefined> {
  const key = closingKey(aggregate)
  if (!key) return undefined
  const late = (value: string) => isLate(closing(value, key.time), context.mode)
  return lateRows(count, aggregate.child, key.expression, late, context)
}

/** SQL for the moment at which the watermark closes an event time, given the SQL for its value. */
export function closing(value: string, { kind, lagMs }: EventTime): string {
  return closingAt(kind === 'window' ? `${value}."end"` : value, lagMs)
}

/** The same, given the SQL for its end. */
export function closingAt(end: string, lagMs: number): string {
  return lagMs > 0 ? `(${end} + INTERVAL ${lagMs} MILLISECOND)` : end
}

/** Whether a row came when the watermark had passed it. */
export function isBehind(end: string | undefined): string {
  return `coalesce(${end} <= ${LATE_BEFORE}, false)`
}

/**
 * A row without event time belongs to no window, as in Spark, and counts as late. Where all results are asked for, no
 * window is ever finished, and no other row late for it.
 */
export function isLate(end: string | undefined, mode: HandsOn): string {
  return isForgetting(mode) ? `${end} IS NULL OR ${isBehind(end)}` : `${end} IS NULL`
}
