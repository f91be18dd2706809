import { Backoff } from '../../backoff.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import { needDeadLetters } from '../need-dead-letters.ts'
import type { SinkContext, SinkFormat } from '../sink.ts'
import { HTTP_OPTIONS, type HttpOptions, parseHttpOptions } from './options.ts'
import { bodyOf, halvesOf, nameOf, type Origin, type Part, partsOf } from './payload.ts'
import { type Answer, post } from './post.ts'

/**
 * Posts the rows to a URL, some at a time, each request with a key by which the receiver can tell a repeat.
 */
export const httpFormat: SinkFormat = Object.freeze({
  name: 'http',
  modes: ['append', 'update', 'complete'],
  guarantee: 'at-least-once',
  options: HTTP_OPTIONS,
  open: async (context) => {
    const options = parseHttpOptions(context.options)
    if (options.refusedRows === 'deadLetter') needDeadLetters('http', context)
    const description = `http[${options.place}]`
    const webhook = new Webhook(description, options, context)
    const limits = { rows: options.rowsPerRequest, bytes: options.payloadBytes }
    return {
      description,
      guarantee: 'at-least-once',
      write: async (batchId, rows) => {
        const tooLarge = (row: number, bytes: number) => {
          const reason = `it has ${bytes} bytes as JSON, which is too much for maxPayloadBytes`
          return new SluiceError('SINK_ROW', { sink: description, row, batch: batchId, reason })
        }
        for await (const part of partsOf(rows, limits, tooLarge)) {
          await webhook.deliver(part, { queryId: context.queryId, batchId })
        }
      },
      close: async () => undefined,
    }
  },
} satisfies SinkFormat)

/** The receiver of parts. */
class Webhook {
  readonly #description: string
  readonly #options: HttpOptions
  readonly #context: SinkContext

  constructor(description: string, options: HttpOptions, context: SinkContext) {
    this.#description = description
    this.#options = options
    this.#context = context
  }

  /**
   * Sends a part until it is taken. One that is refused for its rows is halved, down to the row that is at fault.
   *
   * @throws SINK_HTTP_REFUSED, SINK_HTTP_UNAVAILABLE, SINK_STOPPED
   */
  async deliver(part: Part, origin: Origin): Promise<void> {
    const answer = await this.#send(part, origin)
    if (answer.kind === 'taken') return
    const { place: url, refusedRows } = this.#options
    const { log, refuse } = this.#context
    const params = { url, rows: nameOf(part), batch: origin.batchId, reason: answer.reason }
    if (answer.kind === 'refused') throw new SluiceError('SINK_HTTP_REFUSED', params)
    if (part.rows.length > 1) {
      for (const half of halvesOf(part)) await this.deliver(half, origin)
    } else if (refusedRows === 'deadLetter' && refuse) {
      refuse({ reason: answer.reason, data: part.rows[0] as string })
    } else if (refusedRows === 'drop') {
      log.warn(params, 'a row was refused and left out')
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
    const { clock, stop } = this.#context
    const backoff = new Backoff(clock, retry)
    for (;;) {
      const answer = await post(request, clock)
      hit('sink.posted')
      if (answer.kind !== 'failed') return answer
      const { reason } = answer
      const batch = origin.batchId
      const exhausted = backoff.failed(answer.retryAfterMs)
      if (exhausted) {
        const seconds = exhausted.exhaustedAfterSeconds
        const params = { url: place, rows: nameOf(part), batch, reason, seconds }
        throw new SluiceError('SINK_HTTP_UNAVAILABLE', params)
      }
      await clock.sleep(backoff.waitMs, stop)
      if (stop.aborted) throw new SluiceError('SINK_STOPPED', { sink: this.#description, batch, reason })
    }
  }
}
