import { type Connection, quoted, type Relation } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import type { Sink, SinkContext, SinkFormat } from '../sink.ts'
import { DatabaseFile } from './database-file.ts'
import { DUCKDB_OPTIONS, parseDuckdbOptions } from './options.ts'
import { sqlReason } from './sql-reason.ts'
import { INCOMING, TableWriter } from './table-writer.ts'

/**
 * A table in a DuckDB file: append adds rows, update replaces those of the same key, complete replaces all.
 */
export const duckdbFormat: SinkFormat = Object.freeze({
  name: 'duckdb',
  modes: ['append', 'update', 'complete'],
  guarantee: 'exactly-once',
  options: DUCKDB_OPTIONS,
  open: openSink,
} satisfies SinkFormat)

async function openSink(context: SinkContext): Promise<Sink> {
  const { queryId, outputMode: mode } = context
  const target = parseDuckdbOptions(context.options, mode, context.schema)
  const file = new DatabaseFile(target, context)
  await file.inspect()
  /** The sink's own: the batch must be durable before it is committed, and so before the query's transaction ends. */
  let own: Connection | undefined
  return {
    description: target.description,
    guarantee: 'exactly-once',
    write: async (batchId, rows) => {
      own ??= await rows.connection.sibling()
      const connection = own
      try {
        await takeIn(rows, connection)
        const batch = { queryId, batchId, mode, schema: rows.schema }
        await file.use(connection, batchId, (catalog) =>
          new TableWriter(connection, catalog, target).write(batch),
        )
        await connection.run(`DROP TABLE temp.main.${INCOMING}`)
      } catch (error) {
        throw failure(target.description, batchId, error)
      }
    },
    close: async () => {
      if (!own) return
      await file.close()
      own.close()
    },
  }
}

/** The rows lie in a temporary table of the query's connection, which no other connection can see. */
async function takeIn({ name, schema, connection }: Relation, own: Connection): Promise<void> {
  const columns = schema.map((field) => `${quoted(field.name)} ${field.type}`).join(', ')
  await own.run(`CREATE OR REPLACE TEMP TABLE ${INCOMING} (${columns})`)
  await connection.copyRows(`FROM ${name}`, own, INCOMING)
}

/** DuckDB's errors speak of the query; these are of the target. */
function failure(sink: string, batch: number, error: unknown): unknown {
  if (!(error instanceof SluiceError) || !error.code.startsWith('SQL_')) return error
  return new SluiceError('SINK_FAILED', { sink, batch, reason: sqlReason(error) }, { cause: error })
}
