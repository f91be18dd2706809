import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Row } from '../../src/duckdb.ts'
import { type DataStreamWriter, type Progress, Session } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import type { Arm, Tally } from './arm.ts'
import { rowsDigest } from './digest.ts'

/** A streaming query that is measured from its start to the commit of its last batch, checkpoint included. */
export interface MeasuredQuery {
  /** Of a query in update mode: what its rows are told apart by; the last row of each key counts. */
  readonly keys?: readonly string[]
  /** Describes the query on a fresh session, up to its output mode; sink, trigger and checkpoint are the harness's. */
  describe(session: Session): DataStreamWriter | Promise<DataStreamWriter>
}

/** Runs a query over all that the stream holds, into a noop sink, with a durable checkpoint. */
export async function queryArm({ describe, keys }: MeasuredQuery): Promise<Arm> {
  const once = async (finish: (writer: DataStreamWriter) => DataStreamWriter): Promise<Tally> => {
    const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
    const session = await Session.create({ log: silentLogger })
    try {
      const writer = (await describe(session)).trigger({ availableNow: true })
      const query = await finish(writer).option('checkpointLocation', checkpoint).start()
      await query.awaitTermination()
      const batches = allOf(query.recentProgress)
      const sumOf = (read: (progress: Progress) => number) =>
        batches.reduce((sum, each) => sum + read(each), 0)
      return {
        records: sumOf((progress) => progress.numInputRows),
        // Rows that an update writes depend on how batches were cut; the keys in the state do not.
        check: keys
          ? (batches.at(-1)?.stateOperators[0]?.numRowsTotal ?? 0)
          : sumOf((progress) => progress.sink.numOutputRows),
      }
    } finally {
      await session.close()
      await rm(checkpoint, { recursive: true, force: true })
    }
  }
  return {
    run: () => once((writer) => writer.format('noop')),
    verify: async () => {
      const rows = new Map<unknown, Row>()
      const tally = await once((writer) =>
        writer.foreachBatch(async (batch) => {
          for (const row of await batch.toObjects()) {
            rows.set(keys ? JSON.stringify(keys.map((key) => row[key])) : rows.size, row)
          }
        }),
      )
      return { ...tally, digest: rowsDigest(rows.values()) }
    },
    close: async () => undefined,
  }
}

/** A query keeps the progress of its last 100 batches; a benchmark must not have more. */
function allOf(progress: readonly Progress[]): readonly Progress[] {
  if (progress[0] !== undefined && progress[0].batchId !== 0) throw new RangeError('more than 100 batches')
  return progress
}
