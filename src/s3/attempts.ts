import type { S3Connection } from '../aws.ts'
import { Backoff } from '../backoff.ts'
import type { Clock } from '../clock.ts'
import { hasCode, type SluiceError } from '../errors.ts'
import { Allowance } from './allowance.ts'
import { gaveUp, type S3Call, type S3OperationName, s3Error } from './error.ts'
import type { S3Location } from './location.ts'
import type { S3Settings } from './options.ts'
import type { S3Owner } from './owner.ts'

const WAITS = { firstMs: 50, ceilingMs: 5000, giveUpMs: Number.POSITIVE_INFINITY }
/** A store that was never reached is more likely misspelled than ill. */
const FIRST_PATIENCE_MS = 10_000

/**
 * Makes requests of one bucket until they are answered or patience is over, with a random wait between two attempts,
 * and one look for newer credentials when they are refused.
 *
 * Fails with S3_UNAVAILABLE, S3_REGION, S3_NO_BUCKET and the AWS codes that another attempt does not mend, such as
 * AWS_ACCESS_DENIED.
 */
export class S3Attempts {
  readonly #connection: S3Connection
  readonly #owner: S3Owner
  readonly #place: S3Location
  readonly #settings: S3Settings
  readonly #clock: Clock
  #host: string
  #region = 'unknown'
  #wasReached = false

  constructor(
    connection: S3Connection,
    owner: S3Owner,
    place: S3Location,
    settings: S3Settings,
    clock: Clock,
  ) {
    this.#connection = connection
    this.#owner = owner
    this.#place = place
    this.#settings = settings
    this.#clock = clock
    const { endpointUrl } = settings.aws
    this.#host = endpointUrl === undefined ? 's3' : new URL(endpointUrl).host
    this.#noteHost()
  }

  /**
   * @param bytes how many an attempt sends
   * @param attempt must be safe to repeat: it may have been carried out although it failed
   */
  async run<T>(
    operation: S3OperationName,
    key: string,
    bytes: number,
    attempt: (allowance: Allowance, call: S3Call) => Promise<T>,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic()
    const backoff = new Backoff(this.#clock, WAITS)
    let wereRenewed = false
    for (;;) {
      const outcome = await this.#once(operation, key, bytes, attempt)
      if (!('error' in outcome)) return outcome.answer
      const { error } = outcome
      if (hasCode(error, 'AWS_CREDENTIALS_REJECTED') && !wereRenewed) {
        wereRenewed = true
        await this.#connection.refreshCredentials().catch((failure: unknown) => {
          throw s3Error(this.#call(operation, key), failure)
        })
        continue
      }
      if (!error.retriable) throw error
      backoff.failed()
      const { waitMs } = backoff
      const elapsedMs = this.#clock.monotonic() - startedAt
      if (elapsedMs + waitMs >= this.#patienceMs) {
        throw gaveUp(this.#call(operation, key), Math.round(elapsedMs / 1000), error)
      }
      await this.#clock.sleep(waitMs)
    }
  }

  async #once<T>(
    operation: S3OperationName,
    key: string,
    bytes: number,
    attempt: (allowance: Allowance, call: S3Call) => Promise<T>,
  ): Promise<{ readonly answer: T } | { readonly error: SluiceError }> {
    const allowance = new Allowance(this.#clock, this.#settings.requestTimeoutMs, bytes)
    try {
      this.#region = await this.#connection.region()
      const answer = await attempt(allowance, this.#call(operation, key))
      this.#wasReached = true
      return { answer }
    } catch (thrown) {
      const { aborted, reason } = allowance.signal
      const error = s3Error(this.#call(operation, key), aborted ? reason : thrown)
      this.#wasReached ||= !hasCode(error, 'AWS_UNREACHABLE') && !hasCode(error, 'AWS_TIMEOUT')
      return { error }
    } finally {
      allowance.end()
    }
  }

  get #patienceMs(): number {
    const { maxRetryTimeMs } = this.#settings
    return this.#wasReached ? maxRetryTimeMs : Math.min(maxRetryTimeMs, FIRST_PATIENCE_MS)
  }

  #call(operation: S3OperationName, key: string): S3Call {
    const { credentials } = this.#connection
    return {
      operation,
      key,
      owner: this.#owner.name,
      optionPrefix: this.#settings.optionPrefix,
      place: this.#place,
      host: this.#host,
      region: this.#region,
      credentials,
    }
  }

  /** Notes the host that is really called, which the SDK does not hand out. */
  #noteHost(): void {
    this.#connection.client.middlewareStack.add(
      (next) => (args) => {
        const { hostname, port } = args.request as { hostname?: string; port?: number }
        if (hostname !== undefined) this.#host = port === undefined ? hostname : `${hostname}:${port}`
        return next(args)
      },
      { step: 'deserialize', priority: 'low', name: 'sluiceHost' },
    )
  }
}
