import { Backoff, type RetryLimits } from '../../backoff.ts'
import type { Clock } from '../../clock.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import { withDeadline } from './deadline.ts'
import type { StreamSummary } from './kinesis-port.ts'
import type { Lister } from './lister.ts'
import type { StreamWatch } from './stream-watch.ts'

/** A start that cannot succeed has to say so while its user is still looking. */
const GIVE_UP_MS = 12_000
const TRY_MS = 5000
const LONGEST_WAIT_MS = 2000
const CONNECT_TRIES = 3

export interface StartupContext {
  readonly clock: Clock
  readonly watch: StreamWatch
  readonly lister: Lister
  readonly retry: RetryLimits
  readonly closed: AbortSignal
}

/**
 * Describes the stream and lists its shards, within twelve seconds or not at all.
 *
 * @throws the error of the last try: KINESIS_STREAM_NOT_FOUND, KINESIS_STREAM_NOT_ACTIVE, AWS_…
 */
export async function startUp(context: StartupContext): Promise<StreamSummary> {
  const { clock, closed } = context
  // What had failed before says more than that the time was over.
  let last: unknown
  const note = (error: unknown): void => {
    last = error
  }
  return await withDeadline(
    clock,
    GIVE_UP_MS,
    closed,
    (signal) => attempts(context, signal, note),
    (cause) => last ?? cause,
  )
}

async function attempts(
  context: StartupContext,
  signal: AbortSignal,
  note: (error: unknown) => void,
): Promise<StreamSummary> {
  const { clock, watch, lister } = context
  const ceilingMs = Math.min(context.retry.ceilingMs, LONGEST_WAIT_MS)
  const backoff = new Backoff(clock, { ...context.retry, ceilingMs, giveUpMs: GIVE_UP_MS })
  let unreachable = 0
  for (;;) {
    try {
      const describe = (each: AbortSignal): Promise<StreamSummary> => watch.describe(each)
      const summary = refuseInactive(await withDeadline(clock, TRY_MS, signal, describe, (cause) => cause))
      await lister.refresh(signal)
      return summary
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.retriable || signal.aborted) throw error
      note(error)
      if (hasCode(error, 'AWS_UNREACHABLE') && ++unreachable === CONNECT_TRIES) throw error
      if (backoff.failed()) throw error
      await clock.sleep(backoff.waitMs, signal)
    }
  }
}

function refuseInactive(summary: StreamSummary): StreamSummary {
  if (summary.status === 'ACTIVE' || summary.status === 'UPDATING') return summary
  throw new SluiceError('KINESIS_STREAM_NOT_ACTIVE', { stream: summary.name, status: summary.status })
}
