import type { Batch, Json, Position, Range, Schema } from '../batch.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { GivenOptions } from '../options.ts'

/** What one call of `read` brought. */
export interface Read {
  /** Absent when no row came: then nothing is logged and no batch runs. */
  readonly batch?: Batch
  /**
   * Nothing more was available when this read ended: the source stood at its tip, or at the end that `pinEnd`
   * fixed. `availableNow` stops here, `processAllAvailable` returns here.
   */
  readonly drained: boolean
}

/**
 * A replayable stream of rows.
 *
 * Invariants, proven for every implementation by `sourceChecks` of `sluice/testing`:
 * - S1 `initial()` is called once in the life of a query, and its answer is stored before the first `read`.
 *   It must pin whatever would otherwise move ("latest" becomes a place, not a wish).
 * - S2 `read(from)` starts just after `from`; `batch.range.start` equals `from`.
 * - S3 A batch is bounded by the source's own limits, whatever the stream holds.
 * - S4 `reread(range)` gives the same rows in the same order with the same digest, in this process or any other,
 *   or fails with an error that says which data is lost. It never gives other rows.
 * - S5 `read` may know more than `from` says (live iterators, shards found since), as long as S2 and S4 hold.
 * - S6 `read` returns soon after `signal` aborts: with what it has, or without a batch. It does not throw for that.
 * - S7 `close` may be called at any time, also during a read, and more than once.
 * - S8 The next `read` may begin while the batch before is still worked on: what was handed out stays as it is.
 */
export interface Source {
  /** For logs, errors and progress: `kinesis[clicks]`. */
  readonly description: string
  readonly schema: Schema
  initial(): Promise<Position>
  /** Called once per start with the position of the checkpoint, before any read; refuses what cannot be resumed. */
  resume(position: Position): Promise<void>
  read(from: Position, signal: AbortSignal): Promise<Read>
  reread(range: Range): Promise<Batch>
  /** Fixes what "available now" means. Later reads go no further and answer `drained` once there. */
  pinEnd(): Promise<void>
  /** Figures for progress: lag, throttles, losses counted. Cheap; no network. */
  metrics(): Readonly<Record<string, Json>>
  close(): Promise<void>
}

/** What a source is built from; everything it may not reach for itself. */
export interface SourceContext {
  readonly options: GivenOptions
  /** What `.schema(…)` says, for a format that takes columns. */
  readonly columns?: Schema | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** An entry of the registry: options are checked and the schema is known before anything is opened. */
export interface SourceFormat {
  readonly name: string
  /** `.schema(…)` names the columns of the source; else it is about a payload in its column `data`. */
  readonly takesColumns?: boolean
  /** Parses the options (and throws) without touching the network. */
  schema(context: SourceContext): Schema
  /** What the opened source's `description` will be, likewise without touching the network. */
  describe(context: SourceContext): string
  open(context: SourceContext): Source
}
