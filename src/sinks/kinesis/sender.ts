import { Backoff, type RetryLimits } from '../../backoff.ts'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import type { Logger } from '../../log.ts'
import type { Aggregation } from './aggregation.ts'
import type { Entry } from './entries.ts'
import type { RequestLimits } from './options.ts'
import type { Outcome, PutPort } from './put-port.ts'
import { requestsOf } from './requests.ts'

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
  /** Absent: there are no aggregates. */
  readonly aggregation: Aggregation | undefined
  /** Of a request. */
  readonly limits: Pick<RequestLimits, 'records' | 'bytes'>
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
  const { sink, port, clock, retry, log, stop, limits } = parts
  const backoff = new Backoff(clock, retry)
  const strays: Entry[] = []
  for (let pending = request; pending.length > 0; ) {
    const { refused, misplaced, reason } = await put(parts, pending)
    strays.push(...misplaced)
    if (refused.length === 0) break
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
  if (strays.length === 0) return
  log.debug({ records: strays.length }, 'records of aggregates that a reshard misplaced are sent again')
  for await (const again of requestsOf(strays, limits)) await send(parts, again, batch)
}

/** What has to be sent again, and why. A failure of the whole request that may pass is a refusal of every record. */
async function put(
  { port, pace, aggregation }: SenderParts,
  entries: readonly Entry[],
): Promise<{
  readonly refused: readonly Entry[]
  readonly misplaced: readonly Entry[]
  readonly reason: string
}> {
  const allRefused = (reason: string) => ({ refused: entries, misplaced: [], reason })
  try {
    if (!(await pace.wait(entries))) return allRefused('the shards have no room')
    const outcomes = await port.put(entries)
    hit('sink.sent')
    pace.learn(entries, outcomes)
    const refusals = outcomes.map((outcome) => ('refusal' in outcome ? outcome.refusal : undefined))
    const refused = entries.filter((_, index) => refusals[index] !== undefined)
    const misplaced = (await aggregation?.misplaced(entries, outcomes)) ?? []
    return { refused, misplaced, reason: refusals.find((refusal) => refusal !== undefined) ?? '' }
  } catch (error) {
    if (!(error instanceof SluiceError && error.retriable)) throw error
    // What to do about it is for the user who is told that all retries failed.
    return allRefused(error.message.split('. To fix:')[0] ?? '')
  }
}
