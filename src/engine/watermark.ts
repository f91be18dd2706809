/** How several watermarks become one: the slowest decides, or the fastest. */
export type WatermarkPolicy = 'min' | 'max'

/** What one watermark saw in a round of reading. */
export interface Sighting {
  /** Of its rows, epoch milliseconds; null where it saw none. */
  readonly greatestMs: number | null
  /** Whether its sources may have more: then it is not idle, though it saw no row. */
  readonly hasMore: boolean
}

export interface WatermarkSettings {
  /** Of each watermark. */
  readonly delaysMs: readonly number[]
  readonly policy: WatermarkPolicy
  /** A watermark that saw no row for so long does not hold the others back; undefined: it always does. */
  readonly idleAfterMs: number | undefined
}

/**
 * How far event time has come in a query, over all its watermarks.
 *
 * Invariants: it never goes back; under `min` it does not exist before every watermark that is not idle has seen a
 * row; after a restart every watermark stands where it was logged, and none is idle.
 */
export class WatermarkClock {
  readonly #settings: WatermarkSettings
  readonly #values: (number | null)[]
  readonly #activeAtMs: number[]
  #currentMs: number | null

  /** @param nowMs when the query started: idleness is time in which it looked and saw nothing */
  constructor(
    settings: WatermarkSettings,
    nowMs: number,
    startMs: number | null,
    logged: readonly (number | null)[] = [],
  ) {
    this.#settings = settings
    this.#values = settings.delaysMs.map((_, index) => logged[index] ?? null)
    this.#activeAtMs = settings.delaysMs.map(() => nowMs)
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

  /** A batch that comes again was logged under this one, which idleness may have moved. */
  reach(loggedMs: number | null): void {
    if (loggedMs !== null) this.#currentMs = Math.max(loggedMs, this.#currentMs ?? loggedMs)
  }

  /** Takes in what each watermark saw in a round of reading that came back at `nowMs`. */
  observe(sightings: readonly Sighting[], nowMs: number): void {
    sightings.forEach(({ greatestMs, hasMore }, index) => {
      if (greatestMs !== null || hasMore) this.#activeAtMs[index] = nowMs
      if (greatestMs === null) return
      const value = Math.floor(greatestMs - (this.#settings.delaysMs[index] ?? 0))
      this.#values[index] = Math.max(value, this.#values[index] ?? value)
    })
    this.reach(this.#combined(nowMs))
  }

  #combined(nowMs: number): number | null {
    const { policy, idleAfterMs = Number.POSITIVE_INFINITY } = this.#settings
    const known = this.#values.filter((value) => value !== null)
    const active = this.#values.filter((_, index) => nowMs - (this.#activeAtMs[index] ?? 0) < idleAfterMs)
    // When all are idle, nobody is left who could come later than the fastest.
    if (policy === 'max' || active.length === 0) return known.length > 0 ? Math.max(...known) : null
    return active.every((value) => value !== null) ? Math.min(...active) : null
  }
}
