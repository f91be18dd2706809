import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import type { RetryLimits } from './options.ts'

/** A longer silence between two tries was ours, as with long trigger intervals, and does not count as trying. */
const LONGEST_TRY_MS = 60_000

/**
 * Failures in a row of one thing (a shard, the list of shards) and how long to wait after the last: a random time
 * below a ceiling that doubles (full jitter), so that shards which failed together do not come back together.
 */
export class Backoff {
  readonly #clock: Clock
  readonly #limits: RetryLimits
  #failures = 0
  #failedAt = 0
  #tryingMs = 0
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

  succeeded(): void {
    this.#failures = 0
    this.#tryingMs = 0
    this.#readyAt = 0
  }

  /** Sets the next wait, or answers for how many seconds this has been going on when it is time to give up. */
  failed(): { readonly exhaustedAfterSeconds: number } | undefined {
    const now = this.#clock.monotonic()
    if (this.#failures > 0) this.#tryingMs += Math.min(now - this.#failedAt, LONGEST_TRY_MS)
    this.#failures++
    this.#failedAt = now
    if (this.#failures >= this.#limits.attempts || this.#tryingMs >= this.#limits.giveUpMs) {
      return { exhaustedAfterSeconds: Math.round(this.#tryingMs / 1000) }
    }
    const ceiling = Math.min(this.#limits.ceilingMs, this.#limits.firstMs * 2 ** (this.#failures - 1))
    this.#readyAt = now + this.#clock.random() * ceiling
    return undefined
  }
}

/** The error of whoever has tried for long enough. */
export function gaveUp(where: string, seconds: number, last: SluiceError): SluiceError {
  // What to do about the last failure is said by its own message, which goes along as the cause.
  const [reason = ''] = last.message.split('. To fix:')
  return new SluiceError('KINESIS_RETRIES_EXHAUSTED', { where, seconds, reason }, { cause: last })
}
