import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { type SeededRandom, seededRandom } from './seeded-random.ts'

export interface ManualClockOptions {
  /** Wall clock at the start, epoch milliseconds. Default 2026-01-01T00:00:00Z. */
  readonly start?: number
  /** Of `random` and `uuid`. Default 1. */
  readonly seed?: string | number
  /**
   * `manual` (default): time passes in `advance` alone. `idle`: whenever the program has nothing else to do in
   * this turn of the event loop, time jumps to the next sleeper, so a loop that sleeps runs at full speed. Work
   * that waits on real files or sockets does not count as being busy: deadlines may pass while it runs.
   */
  readonly passes?: 'manual' | 'idle'
}

interface Sleeper {
  readonly due: number
  readonly wake: () => void
}

/** Turns of the event loop that woken code gets before the next sleeper is woken. */
const TURNS_A_WAKE = 3

/**
 * A clock whose time passes only when told, with seeded chance.
 *
 * Invariants: sleepers wake in the order of their due times, equal ones in the order they lay down; while one
 * wakes, `now` and `monotonic` show its due time, never a later one.
 */
export class ManualClock implements Clock {
  readonly #random: SeededRandom
  readonly #idle: boolean
  #elapsed = 0
  #wall: number
  #sleepers: Sleeper[] = []
  #turning = false

  constructor(options: ManualClockOptions = {}) {
    this.#wall = options.start ?? Date.UTC(2026, 0, 1)
    this.#random = seededRandom(options.seed ?? 1)
    this.#idle = options.passes === 'idle'
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#elapsed
  }

  random(): number {
    return this.#random.next()
  }

  uuid(): string {
    return this.#random.uuid()
  }

  /** How many calls of `sleep` have not ended. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        due: this.#elapsed + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', abort)
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
          resolve()
        },
      }
      const abort = (): void => sleeper.wake()
      signal?.addEventListener('abort', abort, { once: true })
      // Stable: equal due times keep the order in which they were added.
      const later = this.#sleepers.findIndex((other) => other.due > sleeper.due)
      this.#sleepers.splice(later < 0 ? this.#sleepers.length : later, 0, sleeper)
      if (this.#idle) void this.#passWhenIdle()
    })
  }

  /**
   * Lets `ms` pass, waking whoever is due on the way; code that sleeps again within the span is woken again.
   * Woken code has a few turns of the event loop before time goes on: enough for promises, not for real files or
   * sockets.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await rest()
    for (let next = this.#sleepers[0]; next && next.due <= end; next = this.#sleepers[0]) {
      this.#passTo(next.due)
      next.wake()
      await rest()
    }
    this.#passTo(end)
  }

  /** Moves the wall clock alone, as an operator or NTP does; monotonic time and sleepers do not notice. */
  jump(ms: number): void {
    this.#wall += ms
  }

  #passTo(elapsed: number): void {
    if (elapsed <= this.#elapsed) return
    this.#wall += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }

  async #passWhenIdle(): Promise<void> {
    if (this.#turning) return
    this.#turning = true
    await rest()
    while (this.#sleepers[0]) {
      this.#passTo(this.#sleepers[0].due)
      this.#sleepers[0].wake()
      await rest()
    }
    this.#turning = false
  }
}

async function rest(): Promise<void> {
  for (let i = 0; i < TURNS_A_WAKE; i++) await turn()
}
