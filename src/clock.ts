import { randomUUID } from 'node:crypto'

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
  // Not by `timers/promises`, which makes an error with its stack for every sleep that is cut short.
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal?.addEventListener('abort', wake, { once: true })
    }),
  random: () => Math.random(),
  uuid: () => randomUUID(),
})
