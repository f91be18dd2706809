import type { Schema } from '../batch.ts'
import type { Program } from '../plan/incremental.ts'
import type { Sink } from '../sinks/sink.ts'
import type { OperatorCounts, Stages } from './stages.ts'
import { writeBatch } from './write-batch.ts'

/** Opens the sink of the rows that one operator drops. */
export type OpenLateRows = (
  operator: string,
  schema: Schema,
  queryId: string,
  stop: AbortSignal,
) => Promise<Sink>

/**
 * What becomes of rows that operators drop because they came behind the watermark: all are counted, and where the
 * query has a `lateRowsPath` they are written there before the batch is committed.
 */
export class LateRows {
  readonly #stages: Stages
  /** By operator. */
  readonly #sinks: ReadonlyMap<string, Sink>

  private constructor(stages: Stages, sinks: ReadonlyMap<string, Sink>) {
    this.#stages = stages
    this.#sinks = sinks
  }

  /** Sinks are handed to `opened` one by one, so that they can be closed when a later one fails. */
  static async open(
    program: Program,
    stages: Stages,
    openSink: ((operator: string, schema: Schema) => Promise<Sink>) | undefined,
    opened: (sink: Sink) => void,
  ): Promise<LateRows> {
    const sinks = new Map<string, Sink>()
    for (const { name, late } of program.operators) {
      if (!late || !openSink) continue
      const sink = await openSink(name, late.schema)
      opened(sink)
      sinks.set(name, sink)
    }
    return new LateRows(stages, sinks)
  }

  /** Writes the late rows of the batch that has run; with the same batch id again, it has no further effect. */
  async write(batchId: number, operators: readonly OperatorCounts[]): Promise<void> {
    for (const { operatorName, numRowsDroppedByWatermark } of operators) {
      const sink = this.#sinks.get(operatorName)
      if (!sink || numRowsDroppedByWatermark === 0) continue
      await writeBatch(sink, batchId, await this.#stages.lateRows(operatorName, batchId))
    }
  }
}
