import type { Progress, Status } from '../engine/progress.ts'
import type { StreamExecution } from '../engine/stream-execution.ts'
import type { SluiceError } from '../errors.ts'

/** The handle of a running query. */
export class StreamingQuery {
  readonly #execution: StreamExecution
  readonly #explanation: string

  constructor(execution: StreamExecution, explanation: string) {
    this.#execution = execution
    this.#explanation = explanation
    Object.freeze(this)
  }

  /** Stays the same across restarts from one checkpoint. */
  get id(): string {
    return this.#execution.id
  }

  /** Of this start. */
  get runId(): string {
    return this.#execution.runId
  }

  get name(): string | undefined {
    return this.#execution.name
  }

  get isActive(): boolean {
    return this.#execution.isActive
  }

  get status(): Status {
    return this.#execution.status
  }

  /** The last committed batch of this run. */
  get lastProgress(): Progress | undefined {
    return this.#execution.recentProgress.at(-1)
  }

  /** The last 100 batches of this run, oldest first. */
  get recentProgress(): readonly Progress[] {
    return [...this.#execution.recentProgress]
  }

  /** What ended the query, if it failed. */
  get exception(): SluiceError | undefined {
    return this.#execution.exception
  }

  /**
   * Waits until the query ends. Rejects with what ended it, if it failed.
   *
   * @param timeoutMs give up after so many milliseconds
   * @returns whether the query has ended
   */
  awaitTermination(timeoutMs?: number): Promise<boolean> {
    return this.#execution.awaitTermination(timeoutMs)
  }

  /** Waits until everything that is in the sources now is committed. For tests; a busy stream may never get there. */
  processAllAvailable(): Promise<void> {
    return this.#execution.processAllAvailable()
  }

  /** Finishes the running batch and ends the query. The next start goes on from there. */
  stop(): Promise<void> {
    return this.#execution.stop()
  }

  /** The plan and the SQL that runs for every batch. */
  explain(): string {
    return this.#explanation
  }
}
