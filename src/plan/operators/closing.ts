import { quoted } from '../../duckdb.ts'
import { type EventTime, eventTimeOf, eventTimes } from '../event-time.ts'
import type { Aggregate } from '../plan.ts'
import { LATE_BEFORE } from './operator.ts'

/** SQL for the moment after which a group cannot change: the end of its window, or its event time itself. */
export function eventKeyEnd(aggregate: Aggregate): string | undefined {
  const below = eventTimes(aggregate.child)
  for (const { name, expression } of aggregate.keys) {
    const time = eventTimeOf(expression, below)
    if (time) return closing(name, time)
  }
  return undefined
}

/** SQL for the moment at which the watermark closes a column's event time. */
export function closing(name: string, { kind, lagMs }: EventTime): string {
  const end = kind === 'window' ? `${quoted(name)}."end"` : quoted(name)
  return lagMs > 0 ? `(${end} + INTERVAL ${lagMs} MILLISECOND)` : end
}

/** A row without event time belongs to no window, as in Spark, and counts as late. */
export function isLate(end: string | undefined): string {
  return `${end} IS NULL OR coalesce(${end} <= ${LATE_BEFORE}, false)`
}
