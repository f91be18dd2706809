import { Backoff } from '../backoff.ts'
import type { Clock } from '../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import type { Logger } from '../log.ts'

/** What a query does when a batch fails for a reason that may pass. */
export interface RestartPolicy {
  /** Tries of one batch, the first among them, before the query stops with what went wrong. */
  readonly maxAttempts: number
  /** Longest first wait, milliseconds; it doubles with each further failure. */
  readonly retryDelayMs: number
  /** Longest wait of all. */
  readonly maxRetryDelayMs: number
}

/** Carries out the steps of a query as often as its restart policy allows. */
export class Attempts {
  readonly #policy: RestartPolicy
  readonly #clock: Clock
  readonly #log: Logger
  #failed = 0

  constructor(policy: RestartPolicy, clock: Clock, log: Logger) {
    this.#policy = policy
    this.#clock = clock
    this.#log = log
  }

  /** How many failed since this was asked last. */
  takeFailed(): number {
    const failed = this.#failed
    this.#failed = 0
    return failed
  }

  /**
   * What `work` answers, tried again while it fails for a reason that may pass; undefined when `signal` aborted before
   * the next try.
   */
  async of<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    const { maxAttempts, retryDelayMs: firstMs, maxRetryDelayMs: ceilingMs } = this.#policy
    const giveUpMs = Number.POSITIVE_INFINITY
    const backoff = new Backoff(this.#clock, { firstMs, ceilingMs, giveUpMs, attempts: maxAttempts })
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!mayPass(error) || backoff.failed()) throw error
        this.#failed++
        const waitMs = Math.round(backoff.waitMs)
        this.#log.warn(
          { attempt: backoff.failures, maxAttempts, waitMs },
          `failed and will be tried again: ${reasonOf(error)}`,
        )
        await this.#clock.sleep(waitMs, signal)
        if (signal.aborted) return undefined
      }
    }
  }
}

/** Never lost data, another writer, damage or a wrong setting: what the table of errors calls retriable, and a source that has given up. */
function mayPass(error: unknown): boolean {
  return error instanceof SluiceError && (error.retriable || hasCode(error, 'KINESIS_RETRIES_EXHAUSTED'))
}
