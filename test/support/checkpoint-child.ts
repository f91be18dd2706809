/**
 * A process of its own for the checkpoint tests, because killing, stopping and racing need a real one.
 *
 *   race LOCATION NAMES ID                when told, create offsets/0 … and print which of them this process won
 *   open LOCATION                         when told, open the checkpoint once, print how that ended, live on
 *   hold LOCATION HEARTBEAT_MS            open it, print "held", log an intent when told, print how that ended
 *   run LOCATION SINK END CALL NTH WHEN   run the small query, SIGKILL itself around the n-th such call
 */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { openStorage } from '../../src/checkpoint/open-storage.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'
import { systemClock } from '../../src/clock.ts'
import { SluiceError } from '../../src/errors.ts'
import { faultyDisk } from '../checkpoint/faulty-disk.ts'
import { fileSink } from '../checkpoint/file-sink.ts'
import { options, runQuery } from '../checkpoint/query.ts'

const [mode, location = '', ...rest] = process.argv.slice(2)
const given = options({ clock: systemClock, processes: processTable })

switch (mode) {
  case 'race':
    await race(Number(rest[0]), rest[1] ?? '')
    break
  case 'open':
    await go('ready')
    await told(async () => {
      await Checkpoint.open(await openStorage(location), given)
      return 'held'
    })
    await once(process.stdin, 'end')
    break
  case 'hold':
    await hold(Number(rest[0]))
    break
  case 'run':
    await run(rest[0] ?? '', Number(rest[1]), rest[2] ?? '', Number(rest[3]), rest[4] ?? '')
    break
  default:
    process.exitCode = 2
}
// An open checkpoint keeps beating; this process ends as one that forgot to close it.
process.exit()

async function race(names: number, id: string): Promise<void> {
  const storage = await openStorage(location)
  const content = new TextEncoder().encode(`written by ${id}`)
  const won: number[] = []
  await go('ready')
  for (let n = 0; n < names; n++) {
    if ((await storage.create(`offsets/${n}`, content)) === 'created') won.push(n)
  }
  writeFileSync(1, `${JSON.stringify(won)}\n`)
}

async function hold(heartbeatMs: number): Promise<void> {
  const checkpoint = await Checkpoint.open(await openStorage(location), { ...given, heartbeatMs })
  await go('held')
  await told(async () => {
    const sources = [{ range: { start: 0, end: 5 }, rows: 5, digest: 'child' }]
    const { epoch, last } = checkpoint
    await checkpoint.logIntent({ batchId: last + 1, epoch, startedAtMs: 0, watermarkMs: null, sources })
    return 'logged'
  })
}

async function run(sink: string, end: number, call: string, nth: number, when: string): Promise<void> {
  let hits = 0
  const disk = faultyDisk(async (name, carryOut, { bytes, writeOnly }) => {
    const fatal = name === call && ++hits === nth
    if (fatal && when === 'half' && bytes) await writeOnly?.(bytes >> 1)
    if (fatal && when !== 'after') process.kill(process.pid, 'SIGKILL')
    const answer = await carryOut()
    if (fatal) process.kill(process.pid, 'SIGKILL')
    return answer
  })
  await runQuery(new DiskStorage(location, disk), fileSink(sink), end, () => 3, given)
}

/** Says how far this process is, and waits for the word. */
async function go(news: string): Promise<void> {
  writeFileSync(1, `${news}\n`)
  await once(process.stdin, 'data')
}

async function told(work: () => Promise<string>): Promise<void> {
  const outcome = await work().catch((error: unknown) => {
    if (error instanceof SluiceError) return error.code
    throw error
  })
  writeFileSync(1, `${outcome}\n`)
}
