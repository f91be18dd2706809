/** How several watermarks become one: the slowest decides, or the fastest. */
export type WatermarkPolicy = 'min' | 'max'

/**
 * How far event time has come in a query, over all its watermarks.
 *
 * Invariants: it never goes back; under `min` it does not exist before every watermark has seen a row; after a restart
 * every watermark stands where it was logged.
 */
export class WatermarkClock {
  readonly #delaysMs: readonly number[]
  readonly #policy: WatermarkPolicy
  readonly #values: (number | null)[]
  #currentMs: number | null

  constructor(
    delaysMs: readonly number[],
    policy: WatermarkPolicy,
    startMs: number | null,
    logged: readonly (number | null)[] = [],
  ) {
    this.#delaysMs = delaysMs
    this.#policy = policy
    this.#values = delaysMs.map((_, index) => logged[index] ?? null)
    this.#currentMs = startMs
  }

  /** Epoch milliseconds; null before there is one. */
  get currentMs(): number | null {
    return this.#currentMs
  }

  /** Where each of them stands, to be logged. */
  get valuesMs(): readonly (number | null)[] {
    return [...this.#values]
  }

  /** Takes in the greatest event time that each watermark saw in a batch, null where it saw none. */
  observe(greatestMs: readonly (number | null)[]): void {
    greatestMs.forEach((greatest, index) => {
      if (greatest === null) return
      const value = Math.floor(greatest - (this.#delaysMs[index] ?? 0))
      this.#values[index] = Math.max(value, this.#values[index] ?? value)
    })
    const known = this.#values.filter((value) => value !== null)
    const isHeldBack = known.length === 0 || (this.#policy === 'min' && known.length < this.#values.length)
    if (isHeldBack) return
    const next = this.#policy === 'min' ? Math.min(...known) : Math.max(...known)
    this.#currentMs = Math.max(next, this.#currentMs ?? next)
  }
}
