import { Backoff } from '../../backoff.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import type { SinkContext, SinkFormat } from '../sink.ts'
import { POSTGRES_OPTIONS, type PostgresTarget, parsePostgresOptions } from './options.ts'
import { Server } from './server.ts'
import { TableWriter } from './table-writer.ts'

/**
 * A table of a PostgreSQL database: append adds rows, update replaces those of the same key, complete replaces all.
 */
export const postgresFormat: SinkFormat = Object.freeze({
  name: 'postgres',
  modes: ['append', 'update', 'complete'],
  guarantee: 'exactly-once',
  options: POSTGRES_OPTIONS,
  open: async (context) => {
    const { queryId, outputMode: mode, schema } = context
    const target = parsePostgresOptions(context.options, mode, schema)
    const writer = new TableWriter(target, { queryId, mode, schema })
    const server = new Server(target)
    try {
      await server.transaction('look at the table', (run) => writer.inspect(run))
    } catch (error) {
      await server.close()
      throw error
    }
    return {
      description: target.description,
      guarantee: 'exactly-once',
      write: (batchId, rows) =>
        retrying(target, context, batchId, () =>
          server.transaction(`write batch ${batchId}`, (run) => writer.write(run, batchId, rows)),
        ),
      close: () => server.close(),
    }
  },
} satisfies SinkFormat)

/** A batch that was committed, though the answer was lost, is found noted by the next try. */
async function retrying(
  { description: sink, retry }: PostgresTarget,
  { clock, stop, log }: SinkContext,
  batch: number,
  write: () => Promise<void>,
): Promise<void> {
  const backoff = new Backoff(clock, retry)
  for (;;) {
    try {
      await write()
      hit('sink.committed')
      return
    } catch (error) {
      if (!(error instanceof SluiceError && error.code === 'SINK_DATABASE_UNAVAILABLE')) throw error
      if (backoff.failed()) throw error
      const reason = String(error.params['reason'])
      log.warn({ sink, batch, reason }, 'the batch is tried again')
      await clock.sleep(backoff.waitMs, stop)
      if (stop.aborted) throw new SluiceError('SINK_STOPPED', { sink, batch, reason })
    }
  }
}
