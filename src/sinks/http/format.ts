import { Backoff } from '../../backoff.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { SinkFormat } from '../sink.ts'
import { HTTP_OPTIONS, type HttpOptions, parseHttpOptions } from './options.ts'
import { bodyOf, halvesOf, nameOf, type Origin, type Part, partsOf } from './payload.ts'
import { type Answer, post } from './post.ts'

/**
 * Posts the rows to a URL, some at a time, each request with a key by which the receiver can tell a repeat.
 */
export function httpFormat(clock: Clock = systemClock): SinkFormat {
  return Object.freeze({
    name: 'http',
    modes: ['append', 'update', 'complete'],
    guarantee: 'at-least-once',
    options: HTTP_OPTIONS,
    open: async ({ options: given, queryId, log }) => {
      const options = parseHttpOptions(given)
      const webhook = new Webhook(options, clock, log)
      const limits = { rows: options.rowsPerRequest, bytes: options.payloadBytes }
      const description = `http[${options.place}]`
      return {
        description,
        guarantee: 'at-least-once',
        write: async (batch, rows) => {
          const tooLarge = (row: number, bytes: number) => {
            const reason = `it has ${bytes} bytes as JSON, which is too much for maxPayloadBytes`
            return new SluiceError('SINK_ROW', { sink: description, row, batch, reason })
          }
          for await (const part of partsOf(rows, limits, tooLarge)) {
            await webhook.deliver(part, { queryId, batchId: batch })
          }
        },
        close: async () => undefined,
      }
    },
  } satisfies SinkFormat)
}

/** The receiver of parts. */
class Webhook {
  readonly #options: HttpOptions
  readonly #clock: Clock
  readonly #log: Logger

  constructor(options: HttpOptions, clock: Clock, log: Logger) {
    this.#options = options
    this.#clock = clock
    this.#log = log
  }

  /**
   * Sends a part until it is taken. One that is refused for its rows is halved, down to the row that is at fault.
   *
   * @throws SINK_HTTP_REFUSED, SINK_HTTP_UNAVAILABLE
   */
  async deliver(part: Part, origin: Origin): Promise<void> {
    const answer = await this.#send(part, origin)
    if (answer.kind === 'taken') return
    const { place: url, dropsRefused } = this.#options
    const params = { url, rows: nameOf(part), batch: origin.batchId, reason: answer.reason }
    if (answer.kind === 'refused') throw new SluiceError('SINK_HTTP_REFUSED', params)
    if (part.rows.length > 1) {
      for (const half of halvesOf(part)) await this.deliver(half, origin)
    } else if (dropsRefused) {
      this.#log.warn(params, 'a row was refused and left out')
    } else {
      throw new SluiceError('SINK_HTTP_REFUSED', params)
    }
  }

  async #send(part: Part, origin: Origin): Promise<Exclude<Answer, { kind: 'failed' }>> {
    const { url, place, headers, requestTimeoutMs: timeoutMs, retry } = this.#options
    const key = `${origin.queryId}/${origin.batchId}/${nameOf(part)}`
    const request = {
      url,
      headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': key },
      body: bodyOf(part, origin),
      timeoutMs,
    }
    const backoff = new Backoff(this.#clock, retry)
    for (;;) {
      const answer = await post(request, this.#clock)
      if (answer.kind !== 'failed') return answer
      const exhausted = backoff.failed(answer.retryAfterMs)
      if (exhausted) {
        const { reason } = answer
        const seconds = exhausted.exhaustedAfterSeconds
        const params = { url: place, rows: nameOf(part), batch: origin.batchId, reason, seconds }
        throw new SluiceError('SINK_HTTP_UNAVAILABLE', params)
      }
      await this.#clock.sleep(backoff.waitMs)
    }
  }
}
