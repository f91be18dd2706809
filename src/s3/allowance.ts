import type { Clock } from '../clock.ts'

/** A transfer that is slower than this, in bytes a millisecond, counts as stuck. */
const SLOWEST = 128

/**
 * The time that one attempt at a request may take, headers and body together: timeouts of sockets see a silence, but
 * not an answer that drips.
 */
export class Allowance {
  readonly #clock: Clock
  readonly #over = new AbortController()
  readonly #ended = new AbortController()
  readonly #startedAt: number
  #ms: number

  /** @param bytes how many will be sent */
  constructor(clock: Clock, ms: number, bytes: number) {
    this.#clock = clock
    this.#startedAt = clock.monotonic()
    this.#ms = ms + bytes / SLOWEST
    void this.#watch()
  }

  /** Aborted when the time is over, with a TimeoutError as its reason. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  get ms(): number {
    return this.#ms
  }

  /** Adds the time that an answer of that many bytes may take. */
  expect(bytes: number): void {
    this.#ms += bytes / SLOWEST
  }

  /** Ends the attempt for another reason than time. */
  abort(reason: Error): void {
    this.#over.abort(reason)
  }

  /** The attempt is over, one way or another. */
  end(): void {
    this.#ended.abort()
  }

  async #watch(): Promise<void> {
    for (;;) {
      const leftMs = this.#startedAt + this.#ms - this.#clock.monotonic()
      if (leftMs <= 0) break
      await this.#clock.sleep(leftMs, this.#ended.signal)
      if (this.#ended.signal.aborted) return
    }
    const words = `not complete after ${Math.round(this.#ms)} ms`
    this.#over.abort(new DOMException(words, 'TimeoutError'))
  }
}

/** For the SDK. */
export function limits(allowance: Allowance): {
  readonly abortSignal: AbortSignal
  readonly requestTimeout: number
} {
  return { abortSignal: allowance.signal, requestTimeout: Math.ceil(allowance.ms) }
}
