import type { Clock } from '../../clock.ts'
import type { ServerTime } from './kinesis-port.ts'

/**
 * What time it is at the service, from the dates of its answers. This machine's wall clock may be wrong by hours, and
 * retention and timestamps are measured by the service's.
 */
export class ServerClock {
  readonly #clock: Clock
  #heard: ServerTime | undefined
  #heardAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  hear(time: ServerTime): void {
    this.#heard = time
    this.#heardAt = this.#clock.monotonic()
  }

  /** Never later than the service's clock stands; undefined before the first answer. */
  get earliestMs(): number | undefined {
    return this.#heard && Math.floor(this.#heard.earliestMs + this.#elapsedMs)
  }

  /** Never earlier than the service's clock stood when it gave its last answer. */
  get latestMs(): number | undefined {
    return this.#heard && Math.ceil(this.#heard.latestMs + this.#elapsedMs)
  }

  get #elapsedMs(): number {
    return this.#clock.monotonic() - this.#heardAt
  }
}
