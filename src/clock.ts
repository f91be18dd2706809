import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Time and chance, handed in so that tests own both. Nothing else in `src` may ask the system for either.
 *
 * Invariants: `monotonic` never goes back; `sleep` resolves early (never rejects) when its signal aborts.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For display, logs and event time; never for ordering or leases. */
  now(): number
  /** Milliseconds since some fixed moment of this process. For durations and deadlines. */
  monotonic(): number
  /** Resolves after `ms` milliseconds, or at once when `signal` is or becomes aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Uniform in [0, 1). */
  random(): number
  uuid(): string
}

export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms: number, signal?: AbortSignal) => {
    await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
  },
  random: () => Math.random(),
  uuid: () => randomUUID(),
})
