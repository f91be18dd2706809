import { channel } from 'node:diagnostics_channel'
import type { Json, Position } from '../batch.ts'

/** What one micro-batch did; the names are those of Spark's StreamingQueryProgress. */
export interface Progress {
  readonly id: string
  readonly runId: string
  readonly name: string | null
  /** When the batch started, ISO-8601, UTC. */
  readonly timestamp: string
  readonly batchId: number
  /** Whole duration, milliseconds. */
  readonly batchDuration: number
  readonly numInputRows: number
  /** Failures that the query passed over on its way to this batch; see the option `maxAttempts`. */
  readonly failedAttempts: number
  readonly inputRowsPerSecond?: number
  readonly processedRowsPerSecond?: number
  /** Milliseconds by step; only the steps that ran. */
  readonly durationMs: Readonly<Record<string, number>>
  readonly stateOperators: readonly {
    readonly operatorName: string
    readonly numRowsTotal: number
    readonly numRowsUpdated: number
    /** Rows that came too late for it; nothing is dropped uncounted. */
    readonly numRowsDroppedByWatermark: number
  }[]
  /** Event time of the batch's rows and the watermark it ran under, ISO-8601; only what there is. */
  readonly eventTime: Readonly<Partial<Record<'min' | 'max' | 'avg' | 'watermark', string>>>
  readonly sources: readonly {
    readonly description: string
    readonly startOffset: Position
    readonly endOffset: Position
    readonly numInputRows: number
    readonly metrics: Readonly<Record<string, Json>>
  }[]
  readonly sink: { readonly description: string; readonly numOutputRows: number }
}

/** What a query is doing right now. */
export interface Status {
  readonly message: string
  readonly isDataAvailable: boolean
  readonly isTriggerActive: boolean
}

/** Every progress record of the process is published here, so that metrics need no hook in the engine. */
export const progressChannel = channel('sluice:progress')

/** Records kept for `recentProgress`; Spark's default. */
export const RECENT_PROGRESS_MAX = 100

/** Rounded to one decimal; absent where it would be no number. */
export function perSecond(rows: number, ms: number): number | undefined {
  const rate = Math.round((rows / ms) * 10_000) / 10
  return Number.isFinite(rate) ? rate : undefined
}

/** Takes the time of named steps. */
export class StepTimes {
  readonly #monotonic: () => number
  readonly #startedMs: number
  readonly #times: Record<string, number> = {}

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#startedMs = monotonic()
  }

  async of<T>(step: string, work: () => Promise<T>): Promise<T> {
    const from = this.#monotonic()
    try {
      return await work()
    } finally {
      this.#times[step] = (this.#times[step] ?? 0) + (this.#monotonic() - from)
    }
  }

  /** Whole milliseconds, with the sum of all since the start as `triggerExecution`. */
  finish(): Readonly<Record<string, number>> {
    const all = { ...this.#times, triggerExecution: this.#monotonic() - this.#startedMs }
    return Object.fromEntries(Object.entries(all).map(([step, ms]) => [step, Math.round(ms)]))
  }
}
