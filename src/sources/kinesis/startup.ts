import type { Clock } from '../../clock.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import { Backoff } from './backoff.ts'
import type { StreamSummary } from './kinesis-port.ts'
import type { Lister } from './lister.ts'
import type { RetryLimits } from './options.ts'
import type { StreamWatch } from './stream-watch.ts'

/** A start that cannot succeed has to say so while its user is still looking. */
const GIVE_UP_MS = 10_000
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
 * Describes the stream and lists its shards, within about ten seconds or not at all.
 *
 * @throws the error of the last try: KINESIS_STREAM_NOT_FOUND, KINESIS_STREAM_NOT_ACTIVE, AWS_…
 */
export async function startUp(context: StartupContext): Promise<StreamSummary> {
  const deadline = new AbortController()
  const done = new AbortController()
  const signal = AbortSignal.any([context.closed, deadline.signal])
  void context.clock.sleep(GIVE_UP_MS, done.signal).then(() => {
    if (!done.signal.aborted) deadline.abort()
  })
  try {
    return await attempts(context, signal)
  } finally {
    done.abort()
  }
}

async function attempts(context: StartupContext, signal: AbortSignal): Promise<StreamSummary> {
  const ceilingMs = Math.min(context.retry.ceilingMs, LONGEST_WAIT_MS)
  const backoff = new Backoff(context.clock, { ...context.retry, ceilingMs, giveUpMs: GIVE_UP_MS })
  let unreachable = 0
  for (;;) {
    try {
      const summary = refuseInactive(await context.watch.describe(signal))
      await context.lister.refresh(signal)
      return summary
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.retriable || signal.aborted) throw error
      if (hasCode(error, 'AWS_UNREACHABLE') && ++unreachable === CONNECT_TRIES) throw error
      if (backoff.failed()) throw error
      await context.clock.sleep(backoff.waitMs, signal)
    }
  }
}

function refuseInactive(summary: StreamSummary): StreamSummary {
  if (summary.status === 'ACTIVE' || summary.status === 'UPDATING') return summary
  throw new SluiceError('KINESIS_STREAM_NOT_ACTIVE', { stream: summary.name, status: summary.status })
}
