import type { Schema } from '../batch.ts'
import type { Clock } from '../clock.ts'
import type { Relation } from '../duckdb.ts'
import type { Logger } from '../log.ts'
import type { GivenOptions, OptionTable } from '../options.ts'
import type { OutputMode } from '../output-mode.ts'

export type { OutputMode }

/** A row that the target of a sink will not take, whatever is tried. */
export interface RefusedRow {
  readonly reason: string
  /** The row, as the sink would have sent it. */
  readonly data: string | Uint8Array
  readonly partitionKey?: string
}

/** What a sink promises when the same batch is written twice, which happens after every crash. */
export type Guarantee = 'exactly-once' | 'at-least-once' | 'none'

/**
 * Where result rows go.
 *
 * Invariants, proven for every implementation by `sinkChecks` of `sluice/testing`:
 * - K1 `write(n, rows)` twice with the same `n` has one effect, or `guarantee` says otherwise.
 * - K2 batches come in order; after a restart the last one may come again, none is skipped.
 * - K3 a failure is thrown, never swallowed; the batch is then not committed and comes again.
 * - K4 `rows` is valid only until `write` resolves.
 */
export interface Sink {
  /** For progress and explain: `console`, `memory[counts]`. */
  readonly description: string
  readonly guarantee: Guarantee
  write(batchId: number, rows: Relation): Promise<void>
  close(): Promise<void>
}

export interface SinkContext {
  readonly options: GivenOptions
  /** Stays the same across restarts from one checkpoint: with the batch id it names a write for ever. */
  readonly queryId: string
  readonly queryName: string | undefined
  readonly outputMode: OutputMode
  /** Of the rows to come. */
  readonly schema: Schema
  readonly log: Logger
  /** For every wait and every timeout. */
  readonly clock: Clock
  /**
   * Aborts when the query is asked to stop. Until then a write may wait for as long as its options say; from then on
   * it gives up waiting (`SINK_STOPPED`) and leaves the batch to the next start.
   */
  readonly stop: AbortSignal
  /**
   * Keeps a row of the batch that is being written among the dead letters of the query, which are written after it and
   * before its commit. Absent where the query has no place for them.
   */
  readonly refuse?: (row: RefusedRow) => void
}

/** A sink by its name. What is data here is what `docs/sinks.md` lists. */
export interface SinkFormat {
  readonly name: string
  readonly modes: readonly OutputMode[]
  readonly guarantee: Guarantee
  readonly options: OptionTable
  /** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, and what the sink's target has against it */
  open(context: SinkContext): Promise<Sink>
}
