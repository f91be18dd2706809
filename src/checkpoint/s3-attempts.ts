import type { S3Connection } from '../aws.ts'
import type { Clock } from '../clock.ts'
import { hasCode, type SluiceError } from '../errors.ts'
import { Allowance } from './s3-allowance.ts'
import { gaveUp, type S3Call, type S3OperationName, s3Error } from './s3-error.ts'
import type { S3Location } from './s3-location.ts'
import type { S3Settings } from './s3-options.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 5000
/** A store that was never reached is more likely misspelled than ill. */
const FIRST_PATIENCE_MS = 10_000

/**
 * Makes requests of one bucket until they are answered or patience is over, with a random wait below a ceiling that
 * doubles (full jitter) between two attempts, and one look for newer credentials when they are refused.
 *
 * Fails with CHECKPOINT_S3_UNAVAILABLE, CHECKPOINT_S3_REGION, CHECKPOINT_LOCATION (no such bucket) and the AWS codes
 * that another attempt does not mend, such as AWS_ACCESS_DENIED.
 */
export class S3Attempts {
  readonly #connection: S3Connection
  readonly #location: string
  readonly #place: S3Location
  readonly #settings: S3Settings
  readonly #clock: Clock
  #host: string
  #region = 'unknown'
  #wasReached = false

  /** @param location as the user wrote it, for messages */
  constructor(
    connection: S3Connection,
    location: string,
    place: S3Location,
    settings: S3Settings,
    clock: Clock,
  ) {
    this.#connection = connection
    this.#location = location
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
    let wereRenewed = false
    for (let ceilingMs = FIRST_WAIT_MS; ; ceilingMs = Math.min(ceilingMs * 2, LONGEST_WAIT_MS)) {
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
      const waitMs = this.#clock.random() * ceilingMs
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
      location: this.#location,
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
