import { type GeneratorSettings, SHUFFLE } from './options.ts'

export type EventKind = 'person' | 'auction' | 'bid'

/** What kind of event has which number, in which order they come, and when each happened. */
export class Timeline {
  readonly #settings: GeneratorSettings
  readonly #auctionsFrom: number
  readonly #bidsFrom: number
  /** Events after which the kinds repeat. */
  readonly cycle: number

  constructor(settings: GeneratorSettings) {
    this.#settings = settings
    this.#auctionsFrom = settings.personProportion
    this.#bidsFrom = this.#auctionsFrom + settings.auctionProportion
    this.cycle = this.#bidsFrom + settings.bidProportion
  }

  /**
   * The number of the event that comes at `place` in the stream. Groups are shuffled in themselves, so what a whole
   * number of groups holds does not depend on the group's size.
   */
  eventAt(place: number): number {
    const size = this.#settings.outOfOrderGroupSize
    if (size === 1) return place
    const within = place % size
    return place - within + ((within * SHUFFLE) % size)
  }

  kindOf(event: number): EventKind {
    const within = event % this.cycle
    if (within >= this.#bidsFrom) return 'bid'
    return within < this.#auctionsFrom ? 'person' : 'auction'
  }

  /** Microseconds since the epoch; no two events share one, so that "the last bid" is one bid. */
  microsOf(event: number): number {
    return this.#settings.firstEventMicros + event * this.#settings.interEventMicros
  }
}
