import type { DataFrame } from '../api/dataframe.ts'
import type { StreamingQuery } from '../api/query.ts'
import { Session } from '../api/session.ts'
import { SluiceError } from '../errors.ts'
import { type Progress, progressChannel } from '../index.ts'
import { consoleLog } from './console-log.ts'
import type { ReplayArguments } from './replay-dead-letters.ts'
import { hideArguments } from './secrets.ts'
import { stopSignals } from './stop-signals.ts'

/** Replays dead letters, or counts them. */
export async function replay(args: ReplayArguments): Promise<void> {
  const session = await Session.create({ log: consoleLog('warn') })
  try {
    const letters = session.deadLetters(args.path, {
      format: args.from,
      kinds: args.kind,
      options: settings(args['from-option']),
    })
    if (args.count) await count(session, letters)
    else await put(session, letters, args)
  } finally {
    await session.close()
  }
}

async function count(session: Session, letters: DataFrame): Promise<void> {
  const query = await letters
    .groupBy('kind', 'origin', 'reason')
    .count()
    .writeStream.outputMode('complete')
    .format('memory')
    .queryName('letters')
    .trigger({ availableNow: true })
    .start()
  await query.awaitTermination()
  // Without a batch there is no table.
  const counts = query.lastProgress ? await session.sql('SELECT * FROM letters ORDER BY ALL').collect() : []
  if (counts.length === 0) process.stdout.write('no dead letters\n')
  for (const row of counts) {
    process.stdout.write(`${JSON.stringify({ ...row, count: Number(row['count']) })}\n`)
  }
}

async function put(session: Session, letters: DataFrame, args: ReplayArguments): Promise<void> {
  if (args.checkpoint === undefined) {
    const reason = '--checkpoint is missing: without it, what was replayed would be replayed again'
    throw new SluiceError('CLI_USAGE', { reason, command: 'sluice replay-dead-letters' })
  }
  let rows = 0
  const tally = (progress: unknown) => {
    rows += (progress as Progress).sink.numOutputRows
  }
  progressChannel.subscribe(tally)
  const signals = stopSignals(() => process.stderr.write('stopping after the running batch\n'))
  const stop = () => void session.streams.stopAll()
  signals.signal.addEventListener('abort', stop, { once: true })
  try {
    const query: StreamingQuery = await letters.writeStream
      .format(args.into)
      .options({ ...settings(args.option), checkpointLocation: args.checkpoint })
      .trigger({ availableNow: true })
      .start()
    if (signals.signal.aborted) stop()
    await query.awaitTermination()
    const target = query.lastProgress?.sink.description ?? args.into
    const isWhole = !signals.signal.aborted
    process.stdout.write(
      `replayed ${rows} ${rows === 1 ? 'letter' : 'letters'} into ${target}${isWhole ? '' : '; stopped before the end'}\n`,
    )
  } finally {
    progressChannel.unsubscribe(tally)
    signals.release()
  }
}

function settings(texts: readonly string[]): Record<string, string> {
  hideArguments(texts)
  return Object.fromEntries(
    texts.map((text) => {
      const match = /^([A-Za-z_][\w.-]*)=([\s\S]*)$/.exec(text)
      if (match) return [match[1], match[2]]
      // The text itself may be a password without its name.
      const reason = '--option and --from-option take name=value'
      throw new SluiceError('CLI_USAGE', { reason, command: 'sluice replay-dead-letters' })
    }),
  )
}
