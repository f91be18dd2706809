import type { Clock } from '../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Attempts } from './attempts.ts'
import type { BatchReport, MicroBatches } from './micro-batch.ts'
import { type Progress, perSecond, progressChannel, RECENT_PROGRESS_MAX, type Status } from './progress.ts'
import type { StopMarker } from './stop-marker.ts'
import { type Trigger, waitMs } from './trigger.ts'

/** Pause between two reads that brought nothing, for sources that do not pace themselves; Spark's pollingDelay. */
const IDLE_POLL_MS = 10
/** Between two looks for the stop marker. */
const MARKER_POLL_MS = 1000

export interface Execution {
  readonly id: string
  readonly runId: string
  readonly name: string | undefined
  readonly batches: MicroBatches
  readonly trigger: Trigger
  readonly attempts: Attempts
  readonly sources: readonly { readonly description: string; pinEnd(): Promise<void> }[]
  readonly sink: { readonly description: string }
  readonly stopMarker: Pick<StopMarker, 'path' | 'isThere'> | undefined
  /** Aborted to stop the query; what waits for something ends its wait then. */
  readonly stopping: AbortController
  readonly clock: Clock
  readonly log: Logger
  /** Closes everything the query holds; called once, however it ends. */
  readonly close: () => Promise<void>
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/**
 * A running query: calls the micro-batches in the rhythm of the trigger and tells others how it goes.
 *
 * Invariants: the running batch is finished before a stop takes effect; after termination everything is closed,
 * and `exception` is what ended the query, if anything did.
 */
export class StreamExecution {
  readonly #parts: Execution
  readonly #stopping: AbortController
  readonly #terminated: Promise<void>
  readonly #recent: Progress[] = []
  #exception: SluiceError | undefined
  #active = true
  #status: Status = {
    message: 'Initializing StreamExecution',
    isDataAvailable: false,
    isTriggerActive: false,
  }
  /** Those who wait for all that was there when they asked: they need a read that began after they did. */
  #waiters: Waiter[] = []

  constructor(parts: Execution) {
    this.#parts = parts
    this.#stopping = parts.stopping
    this.#terminated = this.#runToEnd()
  }

  get id(): string {
    return this.#parts.id
  }

  get runId(): string {
    return this.#parts.runId
  }

  get name(): string | undefined {
    return this.#parts.name
  }

  get isActive(): boolean {
    return this.#active
  }

  get status(): Status {
    return this.#status
  }

  get recentProgress(): readonly Progress[] {
    return this.#recent
  }

  get exception(): SluiceError | undefined {
    return this.#exception
  }

  /** Finishes the running batch, then closes everything. Resolves when done, also when the query had failed. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#terminated
  }

  /** Resolves when the query has ended; rejects with what ended it. With a time: whether it ended within it. */
  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs === undefined) await this.#terminated
    else await this.#orTimeout(timeoutMs)
    if (this.#exception) throw this.#exception
    return !this.#active
  }

  /** Resolves when all rows that were there at the time of the call are committed. */
  processAllAvailable(): Promise<void> {
    if (this.#exception) return Promise.reject(this.#exception)
    if (!this.#active) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  async #orTimeout(timeoutMs: number): Promise<void> {
    const timeout = new AbortController()
    const slept = this.#parts.clock.sleep(timeoutMs, timeout.signal)
    await Promise.race([this.#terminated, slept])
    timeout.abort()
  }

  /** Never rejects: what goes wrong becomes `exception`. */
  async #runToEnd(): Promise<void> {
    try {
      await this.#run()
    } catch (error) {
      // The sink gave up waiting because it was asked to: the batch comes again at the next start.
      if (this.#stopping.signal.aborted && hasCode(error, 'SINK_STOPPED')) {
        this.#parts.log.info({ reason: error.message }, 'stopped before the last batch was written')
      } else {
        this.#fail(error)
      }
    }
    // Nothing more is to be stopped: whoever waits for that need not wait any longer.
    this.#stopping.abort()
    try {
      await this.#parts.close()
    } catch (error) {
      this.#fail(error)
    }
    this.#active = false
    const message = this.#exception ? `Terminated with exception: ${this.#exception.message}` : 'Stopped'
    this.#say(message)
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#exception) waiter.reject(this.#exception)
      else waiter.resolve()
    }
  }

  #fail(error: unknown): void {
    this.#exception ??=
      error instanceof SluiceError
        ? error
        : new SluiceError('QUERY_FAILED', { reason: reasonOf(error) }, { cause: error })
  }

  async #run(): Promise<void> {
    const { batches, trigger, attempts, clock, sources } = this.#parts
    const signal = this.#stopping.signal
    if (await this.#isMarked()) return
    void this.#watchMarker()
    this.#say('Processing new data', true, true)
    while (!signal.aborted) {
      const report = await attempts.of(() => batches.replay(), signal)
      if (!report) break
      this.#publish(report)
    }
    if (trigger.kind === 'availableNow')
      await attempts.of(() => Promise.all(sources.map((source) => source.pinEnd())), signal)
    while (!signal.aborted) {
      const startedAtMs = clock.now()
      const { ran, drained } = await this.#trigger(signal)
      if (trigger.kind === 'once' || (trigger.kind === 'availableNow' && drained)) return
      const pauseMs =
        trigger.kind === 'processingTime' ? waitMs(trigger.intervalMs, startedAtMs, clock.now()) : 0
      if (pauseMs > 0) this.#say('Waiting for next trigger')
      else if (!ran) this.#say('Waiting for data to arrive')
      if (pauseMs > 0 || !ran) await clock.sleep(Math.max(pauseMs, ran ? 0 : IDLE_POLL_MS), signal)
    }
  }

  async #isMarked(): Promise<boolean> {
    const { stopMarker, log } = this.#parts
    if (!(await stopMarker?.isThere())) return false
    log.info({ marker: stopMarker?.path }, 'stopping because the stop marker is there')
    return true
  }

  async #watchMarker(): Promise<void> {
    if (!this.#parts.stopMarker) return
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#parts.clock.sleep(MARKER_POLL_MS, signal)
      if (!signal.aborted && (await this.#isMarked())) this.#stopping.abort()
    }
  }

  async #trigger(signal: AbortSignal): Promise<{ ran: boolean; drained: boolean }> {
    const asked = this.#waiters.length
    const { attempts, batches } = this.#parts
    const outcome = await attempts.of(() => batches.next(signal), signal)
    const { report, drained, readAhead } = outcome ?? { drained: false, readAhead: false }
    this.#publish(report)
    if (drained && !readAhead) for (const waiter of this.#waiters.splice(0, asked)) waiter.resolve()
    return { ran: report !== undefined, drained }
  }

  #publish(report: BatchReport | undefined): void {
    if (!report) return
    const progress = progressOf(this.#parts, report)
    this.#recent.push(progress)
    if (this.#recent.length > RECENT_PROGRESS_MAX) this.#recent.shift()
    this.#say('Processing new data', true, true)
    this.#parts.log.debug({ batch: progress.batchId, rows: progress.numInputRows }, 'batch committed')
    progressChannel.publish(progress)
  }

  #say(message: string, isDataAvailable = false, isTriggerActive = false): void {
    this.#status = Object.freeze({ message, isDataAvailable, isTriggerActive })
  }
}

function progressOf(parts: Execution, report: BatchReport): Progress {
  const { intent, durationMs } = report
  const numInputRows = intent.sources.reduce((sum, source) => sum + source.rows, 0)
  const batchDuration = durationMs['triggerExecution'] ?? 0
  const rate = perSecond(numInputRows, batchDuration)
  return Object.freeze({
    id: parts.id,
    runId: parts.runId,
    name: parts.name ?? null,
    timestamp: new Date(intent.startedAtMs).toISOString(),
    batchId: intent.batchId,
    batchDuration,
    numInputRows,
    failedAttempts: parts.attempts.takeFailed(),
    ...(rate === undefined ? {} : { processedRowsPerSecond: rate }),
    durationMs,
    stateOperators: report.operators,
    eventTime: eventTimeOf(report),
    sources: intent.sources.map((source, index) => ({
      description: parts.sources[index]?.description ?? '',
      startOffset: source.range.start,
      endOffset: source.range.end,
      numInputRows: source.rows,
      metrics: report.metrics[index] ?? {},
    })),
    sink: { description: parts.sink.description, numOutputRows: report.rowsOut },
  })
}

function eventTimeOf({ intent, eventTimes }: BatchReport): Progress['eventTime'] {
  const iso = (name: string, values: readonly (number | null)[], pick: (...ms: number[]) => number) => {
    const known = values.filter((value) => value !== null)
    return known.length > 0 ? { [name]: new Date(pick(...known)).toISOString() } : {}
  }
  return {
    ...iso(
      'min',
      eventTimes.map((span) => span.leastMs),
      Math.min,
    ),
    ...iso(
      'max',
      eventTimes.map((span) => span.greatestMs),
      Math.max,
    ),
    ...iso(
      'avg',
      eventTimes.slice(0, 1).map((span) => span.averageMs),
      Math.max,
    ),
    ...iso('watermark', [intent.watermarkMs], Math.max),
  }
}
