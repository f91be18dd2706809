import type { Clock } from '../../clock.ts'

/** Looks at one name between two looks at the whole list. */
const GLANCES = 9

/**
 * How a source that found nothing new looks again: not at once, and where a list costs, at the name that comes next
 * rather than at all of them. The names of batches have gaps where a sink had nothing to write, so the list is asked
 * for now and then all the same.
 */
export class Lookout {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #listsCost: boolean
  #emptyAtMs: number | undefined
  #glances = 0

  constructor(clock: Clock, intervalMs: number, listsCost: boolean) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#listsCost = listsCost
  }

  /** Waits until it is time to look, which it is at once unless the last look found nothing. */
  async due(signal: AbortSignal): Promise<void> {
    if (this.#emptyAtMs === undefined) return
    const waitMs = this.#emptyAtMs + this.#intervalMs - this.#clock.monotonic()
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }

  /** Whether a glance at the next name will do this time. */
  get mayGlance(): boolean {
    return this.#listsCost && this.#emptyAtMs !== undefined && this.#glances < GLANCES
  }

  glanced(): void {
    this.#glances++
    this.#emptyAtMs = this.#clock.monotonic()
  }

  listed(hasFound: boolean): void {
    this.#glances = 0
    this.#emptyAtMs = hasFound ? undefined : this.#clock.monotonic()
  }
}
