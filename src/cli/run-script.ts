import type { StreamingQuery } from '../api/query.ts'
import { Session } from '../api/session.ts'
import { SluiceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { consoleLog } from './console-log.ts'
import type { RunArguments } from './run.ts'
import { readScript } from './script-file.ts'
import { type StopSignals, stopSignals } from './stop-signals.ts'

/** Runs the queries of a script until all have ended, one has failed, or a signal came. */
export async function runScript(args: RunArguments): Promise<void> {
  const script = await readScript(args)
  const log = consoleLog(args['log-level'])
  const session = await Session.create({ log })
  const signals = stopSignals((name) =>
    log.info(`${name}: stopping after the running batch; a second signal ends at once`),
  )
  try {
    const queries = await session.run(script)
    if (queries.length === 0) throw new SluiceError('SCRIPT_NO_SINK', { file: args.file })
    for (const { name, id } of queries) log.info(`query ${name} is running (id ${id})`)
    await untilEnded(queries, session, signals, log)
    log.info(signals.signal.aborted ? 'stopped' : 'all queries have ended')
  } finally {
    await session.close()
    signals.release()
  }
}

/** Resolves when all queries have ended, by themselves or by a signal; rejects with the first failure. */
async function untilEnded(
  queries: readonly StreamingQuery[],
  session: Session,
  { signal }: StopSignals,
  log: Logger,
): Promise<void> {
  const stop = () => void session.streams.stopAll()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const ending = queries.map(async (query) => {
    try {
      await query.awaitTermination()
    } catch (error) {
      log.error(`query ${query.name} failed${queries.length > 1 ? '; the others are stopped' : ''}`)
      throw error
    }
  })
  await Promise.all(ending)
}
