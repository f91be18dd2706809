import type { Clock } from './clock.ts'

export interface RetryLimits {
  /** Highest first wait; the ceiling doubles with each further failure. */
  readonly firstMs: number
  readonly ceilingMs: number
  /** How long nothing may succeed. */
  readonly giveUpMs: number
  /** Failures in a row. Default: any number. */
  readonly attempts?: number
}

/** A longer silence between two tries was ours, as with long trigger intervals, and does not count as trying. */
const LONGEST_TRY_MS = 60_000

/**
 * Failures in a row of one thing (a shard, a request) and how long to wait after the last: a random time below a
 * ceiling that doubles (full jitter), so that those which failed together do not come back together.
 */
export class Backoff {
  readonly #clock: Clock
  readonly #limits: RetryLimits
  #failures = 0
  #failedAt = 0
  #tryingMs = 0
  /** The wait that the other side asked for last. */
  #askedMs = 0
  #readyAt = 0

  constructor(clock: Clock, limits: RetryLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Milliseconds to wait before the next try; 0 when nothing failed. */
  get waitMs(): number {
    return Math.max(0, this.#readyAt - this.#clock.monotonic())
  }

  get failures(): number {
    return this.#failures
  }

  /** Also when a part got through: the time to give up begins anew. */
  succeeded(): void {
    this.#failures = 0
    this.#tryingMs = 0
    this.#readyAt = 0
  }

  /**
   * Sets the next wait, or answers for how many seconds this has been going on when it is time to give up.
   *
   * @param leastMs what the other side asked for; no more than the time to give up is granted
   */
  failed(leastMs = 0): { readonly exhaustedAfterSeconds: number } | undefined {
    const { firstMs, ceilingMs, giveUpMs, attempts = Number.POSITIVE_INFINITY } = this.#limits
    const now = this.#clock.monotonic()
    if (this.#failures > 0) {
      this.#tryingMs += Math.min(now - this.#failedAt, Math.max(LONGEST_TRY_MS, this.#askedMs))
    }
    this.#failures++
    this.#failedAt = now
    if (this.#failures >= attempts || this.#tryingMs >= giveUpMs) {
      return { exhaustedAfterSeconds: Math.round(this.#tryingMs / 1000) }
    }
    const ceiling = Math.min(ceilingMs, firstMs * 2 ** (this.#failures - 1))
    this.#askedMs = Math.min(leastMs, giveUpMs)
    this.#readyAt = now + Math.max(this.#askedMs, this.#clock.random() * ceiling)
    return undefined
  }
}
