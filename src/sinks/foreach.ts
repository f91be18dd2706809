import type { Relation, Row } from '../duckdb.ts'
import { parseOptions } from '../options.ts'
import type { SinkFormat } from './sink.ts'

/** Takes the rows of every batch one by one; each step may return a promise, which is awaited. */
export interface ForeachWriter {
  /**
   * Before the rows of a batch. `false` leaves them out: of a batch that was written before, when it comes again.
   */
  open?(batchId: number): boolean | void | Promise<boolean | undefined> | Promise<void>
  process(row: Row): void | Promise<void>
  /** Once after every `open` that did not throw; with what was thrown by `process`, if anything. */
  close?(error?: unknown): void | Promise<void>
}

/**
 * A sink of the user's own, row by row. What it throws fails the batch, which then comes again with the same id:
 * some of its rows twice.
 */
export function foreachFormat(writer: ForeachWriter): SinkFormat {
  return Object.freeze({
    name: 'foreach',
    modes: ['append', 'update', 'complete'],
    guarantee: 'at-least-once',
    options: {},
    open: async ({ options }) => {
      parseOptions('foreach', {}, options)
      return {
        description: 'foreach',
        guarantee: 'at-least-once',
        write: async (batchId, rows) => {
          const isWanted = await writer.open?.(batchId)
          try {
            if (isWanted !== false) await processAll(writer, rows)
          } catch (error) {
            await closeAfter(writer, error)
            throw error
          }
          await writer.close?.()
        },
        close: async () => undefined,
      }
    },
  } satisfies SinkFormat)
}

async function processAll(writer: ForeachWriter, { connection, name }: Relation): Promise<void> {
  for await (const rows of connection.pieces(`FROM ${name}`)) {
    for (const row of rows) {
      const done = writer.process(row)
      // Awaiting what is no promise would cost more than most rows do.
      if (done) await done
    }
  }
}

/** What stopped the rows says more than what its clean-up adds. */
async function closeAfter(writer: ForeachWriter, error: unknown): Promise<void> {
  try {
    await writer.close?.(error)
  } catch {
    return
  }
}
