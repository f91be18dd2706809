import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DataStreamWriter, type Progress, progressChannel, Session } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'

/** Between two commits, with nothing to wait for in between. */
export interface BatchTime {
  readonly ms: number
  readonly progress: Progress
}

/** Runs a query until its source has no more, with a durable checkpoint, and gives the time of every batch. */
export async function batchTimes(describe: (session: Session) => DataStreamWriter): Promise<BatchTime[]> {
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  const session = await Session.create({ log: silentLogger })
  const times: BatchTime[] = []
  let last = performance.now()
  const hear = (message: unknown): void => {
    const now = performance.now()
    times.push({ ms: now - last, progress: message as Progress })
    last = now
  }
  progressChannel.subscribe(hear)
  try {
    const writer = describe(session).format('noop').trigger({ availableNow: true })
    const query = await writer.option('checkpointLocation', checkpoint).start()
    await query.awaitTermination()
    return times
  } finally {
    progressChannel.unsubscribe(hear)
    await session.close()
    await rm(checkpoint, { recursive: true, force: true })
  }
}
