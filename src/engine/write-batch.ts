import type { Relation } from '../duckdb.ts'
import { reasonOf, SluiceError } from '../errors.ts'
import type { Sink } from '../sinks/sink.ts'

/**
 * Hands the rows of a batch to a sink.
 *
 * @throws SINK_FAILED, with the sink and the batch, for whatever has no code of its own
 */
export async function writeBatch(sink: Sink, batchId: number, rows: Relation): Promise<void> {
  try {
    await sink.write(batchId, rows)
  } catch (error) {
    if (error instanceof SluiceError) throw error
    const params = { sink: sink.description, batch: batchId, reason: reasonOf(error) }
    throw new SluiceError('SINK_FAILED', params, { cause: error })
  }
}
