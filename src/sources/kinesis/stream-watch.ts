import { SluiceError } from '../../errors.ts'
import type { KinesisPort, StreamSummary } from './kinesis-port.ts'
import type { ServerClock } from './server-clock.ts'

/** Retention is enforced with some delay; closer than this to its edge a record counts as possibly gone. */
const MARGIN_MS = 60_000

/** How long a record is certainly kept. */
export function keptMs(retentionMs: number): number {
  return retentionMs - Math.min(MARGIN_MS, retentionMs / 100)
}

/** The identity of the stream and its retention, as last described. */
export class StreamWatch {
  readonly #port: KinesisPort
  readonly #serverClock: ServerClock
  #summary: StreamSummary | undefined

  constructor(port: KinesisPort, serverClock: ServerClock) {
    this.#port = port
    this.#serverClock = serverClock
  }

  /** Undefined before the first `describe`. */
  get summary(): StreamSummary | undefined {
    return this.#summary
  }

  /**
   * Asks the service again.
   *
   * @throws KINESIS_STREAM_NOT_FOUND, KINESIS_STREAM_REPLACED when it is no longer the stream first described
   */
  async describe(signal: AbortSignal): Promise<StreamSummary> {
    const before = this.#summary
    const summary = await this.#port.describeStream(signal)
    this.#serverClock.hear(summary.serverTime)
    this.#summary = summary
    if (before) refuseOther(summary, before.arn, before.createdMs)
    return summary
  }

  /** Whether retention may have passed over what arrived, or was unread, at `sinceMs` (server time). */
  mayBeTrimmed(sinceMs: number): boolean {
    const now = this.#serverClock.latestMs
    if (now === undefined || !this.#summary) return false
    return now - sinceMs >= keptMs(this.#summary.retentionMs)
  }
}

/** @throws KINESIS_STREAM_REPLACED when `now` is another stream than the one of that ARN and creation time */
export function refuseOther(now: StreamSummary, arn: string, createdMs: number): void {
  if (now.createdMs === createdMs && now.arn === arn) return
  throw new SluiceError('KINESIS_STREAM_REPLACED', {
    stream: now.name,
    before: `${arn} of ${new Date(createdMs).toISOString()}`,
    now: `${now.arn} of ${new Date(now.createdMs).toISOString()}`,
  })
}
