import { SluiceError } from '../errors.ts'
import { parseDuration } from '../options.ts'

/** When the next micro-batch may start. */
export type Trigger =
  | { readonly kind: 'processingTime'; readonly intervalMs: number }
  | { readonly kind: 'once' }
  | { readonly kind: 'availableNow' }

/** What a user writes: `{ processingTime: '2 seconds' }`, `{ once: true }`, `{ availableNow: true }`. */
export type TriggerSetting =
  | { readonly processingTime: string | number }
  | { readonly once: true }
  | { readonly availableNow: true }

/** The next batch starts as soon as the last one is done, if there is data. */
export const DEFAULT_TRIGGER: Trigger = Object.freeze({ kind: 'processingTime', intervalMs: 0 })

/** @throws TRIGGER_INVALID */
export function parseTrigger(setting: TriggerSetting): Trigger {
  const given = Object.entries(setting).filter(([, value]) => value !== undefined && value !== false)
  const [name, value] = given[0] ?? []
  if (given.length === 1 && name === 'once' && value === true) return { kind: 'once' }
  if (given.length === 1 && name === 'availableNow' && value === true) return { kind: 'availableNow' }
  if (given.length === 1 && name === 'processingTime') {
    const intervalMs = parseDuration(String(value))
    if (intervalMs !== undefined) return { kind: 'processingTime', intervalMs }
  }
  throw new SluiceError('TRIGGER_INVALID', { trigger: JSON.stringify(setting) })
}

/** A setting as one word, for SQL: `once`, `availableNow`, or an interval. */
export function triggerSetting(text: string): TriggerSetting {
  if (/^once$/i.test(text)) return { once: true }
  return /^available_?now$/i.test(text) ? { availableNow: true } : { processingTime: text }
}

/**
 * Milliseconds to wait before the batch after one that started at `startedAtMs`. As in Spark, ticks are aligned to
 * multiples of the interval, and a batch that took longer than one lets the next start at once.
 */
export function waitMs(intervalMs: number, startedAtMs: number, nowMs: number): number {
  if (intervalMs === 0) return 0
  const tickMs = Math.floor(startedAtMs / intervalMs) * intervalMs + intervalMs
  return Math.max(0, tickMs - nowMs)
}
