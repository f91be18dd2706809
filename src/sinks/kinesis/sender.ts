import { Backoff, type RetryLimits } from '../../backoff.ts'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Entry } from './entries.ts'
import type { Outcome, PutPort } from './put-port.ts'

/** When records may be sent, and what there is to learn from where they went. */
export interface Pace {
  /** @returns false when the query is being stopped before there is room */
  wait(entries: readonly Entry[]): Promise<boolean>
  learn(entries: readonly Entry[], outcomes: readonly Outcome[]): void
}

/** As fast as the stream takes them. */
export const NO_PACE: Pace = { wait: async () => true, learn: () => undefined }

export interface SenderParts {
  /** For messages. */
  readonly sink: string
  readonly port: PutPort
  readonly pace: Pace
  readonly retry: RetryLimits
  readonly clock: Clock
  readonly stop: AbortSignal
  readonly log: Logger
}

/**
 * Sends one request until every record of it is in the stream. Only the records that were refused are sent again.
 *
 * @throws KINESIS_RETRIES_EXHAUSTED, SINK_STOPPED, KINESIS_STREAM_NOT_FOUND, AWS_…
 */
export async function send(parts: SenderParts, request: readonly Entry[], batch: number): Promise<void> {
  const { sink, port, pace, clock, retry, log, stop } = parts
  const backoff = new Backoff(clock, retry)
  for (let pending = request; pending.length > 0; ) {
    const { refused, reason } = await put(port, pace, pending)
    if (refused.length === 0) return
    log.debug({ sent: pending.length, refused: refused.length, reason }, 'records are sent again')
    if (refused.length < pending.length) backoff.succeeded()
    pending = refused
    const exhausted = backoff.failed()
    if (exhausted) {
      const seconds = exhausted.exhaustedAfterSeconds
      throw new SluiceError('KINESIS_RETRIES_EXHAUSTED', { where: port.where, seconds, reason })
    }
    await clock.sleep(backoff.waitMs, stop)
    if (stop.aborted) throw new SluiceError('SINK_STOPPED', { sink, batch, reason })
  }
}

/** What has to be sent again, and why. A failure of the whole request that may pass is a refusal of every record. */
async function put(
  port: PutPort,
  pace: Pace,
  entries: readonly Entry[],
): Promise<{ readonly refused: readonly Entry[]; readonly reason: string }> {
  try {
    if (!(await pace.wait(entries))) return { refused: entries, reason: 'the shards have no room' }
    const outcomes = await port.put(entries)
    pace.learn(entries, outcomes)
    const refusals = outcomes.map((outcome) => ('refusal' in outcome ? outcome.refusal : undefined))
    const refused = entries.filter((_, index) => refusals[index] !== undefined)
    return { refused, reason: refusals.find((refusal) => refusal !== undefined) ?? '' }
  } catch (error) {
    if (!(error instanceof SluiceError && error.retriable)) throw error
    // What to do about it is for the user who is told that all retries failed.
    return { refused: entries, reason: error.message.split('. To fix:')[0] ?? '' }
  }
}
