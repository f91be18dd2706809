import type { Clock } from '../clock.ts'

export interface RetryLimits {
  /** Highest first wait; the ceiling doubles with each further failure. */
  readonly firstMs: number
  readonly ceilingMs: number
  /** How long nothing may succeed. */
  readonly giveUpMs: number
}

/**
 * The waits of one request that keeps failing: a random time below a ceiling that doubles (full jitter), so that
 * senders which were refused together do not come back together.
 */
export class Retries {
  readonly #clock: Clock
  readonly #limits: RetryLimits
  #failures = 0
  #failingSince = 0

  constructor(clock: Clock, limits: RetryLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** A part got through: the time to give up begins anew. */
  progressed(): void {
    this.#failures = 0
  }

  /**
   * Waits before the next try.
   *
   * @param leastMs what the other side asked for; no more than the time to give up is granted
   * @returns for how many seconds it has been failing, when it is time to give up; else undefined
   */
  async failed(leastMs = 0): Promise<number | undefined> {
    const now = this.#clock.monotonic()
    if (this.#failures === 0) this.#failingSince = now
    this.#failures++
    const elapsed = now - this.#failingSince
    if (elapsed >= this.#limits.giveUpMs) return Math.round(elapsed / 1000)
    const ceiling = Math.min(this.#limits.ceilingMs, this.#limits.firstMs * 2 ** (this.#failures - 1))
    const asked = Math.min(leastMs, this.#limits.giveUpMs)
    await this.#clock.sleep(Math.max(asked, this.#clock.random() * ceiling))
    return undefined
  }
}
