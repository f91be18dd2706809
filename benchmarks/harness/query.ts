import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/clock.ts'
import type { Row } from '../../src/duckdb.ts'
import { type DataStreamWriter, type Progress, Session } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import type { Arm, Tally } from './arm.ts'
import { rowsDigest } from './digest.ts'

/** A streaming query that is measured from its start to the commit of its last batch, checkpoint included. */
export interface MeasuredQuery {
  /** Of a query in update mode: what its rows are told apart by; the last row of each key counts. */
  readonly keys?: readonly string[]
  /** Where the answer depends on the time of the day. */
  readonly clock?: Clock
  /** Describes the query on a fresh session, up to its output mode; sink, trigger and checkpoint are the harness's. */
  describe(session: Session): DataStreamWriter | Promise<DataStreamWriter>
}

/** Runs a query over all that the stream holds, into a noop sink, with a durable checkpoint. */
export async function queryArm({ describe, keys, clock }: MeasuredQuery): Promise<Arm> {
  const once = async (
    finish: (writer: DataStreamWriter) => DataStreamWriter,
  ): Promise<Tally & { readonly state: State }> => {
    const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
    const session = await Session.create({ log: silentLogger, ...(clock && { clock }) })
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
        state: {
          rows: Math.max(0, ...batches.map(stateRowsOf)),
          bytes: await sizeOf(join(checkpoint, 'state')),
        },
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
            rows.set(keys ? JSON.stringify(keys.map((key) => String(row[key]))) : rows.size, row)
          }
        }),
      )
      return { ...tally, digest: rowsDigest(rows.values()) }
    },
    observe: async () => ({ ...(await once((writer) => writer.format('noop'))).state }),
    close: async () => undefined,
  }
}

/** What a query remembers: rows when there were most of them, bytes of all state files that it leaves on disk. */
export interface State {
  readonly rows: number
  readonly bytes: number
}

function stateRowsOf({ stateOperators }: Progress): number {
  return stateOperators.reduce((sum, { numRowsTotal }) => sum + numRowsTotal, 0)
}

/** A query without state has no such directory. */
async function sizeOf(directory: string): Promise<number> {
  if (!existsSync(directory)) return 0
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** A query keeps the progress of its last 100 batches; a benchmark must not have more. */
function allOf(progress: readonly Progress[]): readonly Progress[] {
  if (progress[0] !== undefined && progress[0].batchId !== 0) throw new RangeError('more than 100 batches')
  return progress
}
