import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'
import type { DiskCalls } from '../../src/durable-file.ts'
import { SluiceError } from '../../src/errors.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { CheckpointChild } from './checkpoint-child.ts'
import { Crash, type DiskCall, dyingDisk, faultyDisk, systemError } from './faulty-disk.ts'
import { fileSink, readLedger } from './file-sink.ts'
import { assertExact, type Ledger, ledgerSink, options, runQuery } from './query.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const END = 8
const SHARE = 5
const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`

/** One life of the query on this checkpoint; how it ended, if not well. */
async function life(directory: string, ledger: Ledger, disk?: DiskCalls): Promise<unknown> {
  const storage = new DiskStorage(directory, disk)
  // Another cut in each life: a batch that is run again must nevertheless be the one that was logged.
  const size = 2 + (lives++ % 3)
  return runQuery(storage, ledgerSink(ledger), END, () => size).then(
    () => undefined,
    (error: unknown) => error,
  )
}

let lives = 0

async function assertRecovers(directory: string, ledger: Ledger): Promise<void> {
  const storage = new DiskStorage(directory)
  assertExact(ledger, await runQuery(storage, ledgerSink(ledger), END, () => 4), END)
  const incoming = await readdir(join(directory, '.incoming'))
  for (const writer of incoming) assert.deepEqual(await readdir(join(directory, '.incoming', writer)), [])
}

async function callsOfCleanRun(): Promise<readonly DiskCall[]> {
  const calls: DiskCall[] = []
  const disk = faultyDisk((call, carryOut) => {
    calls.push(call)
    return carryOut()
  })
  lives = 0
  assert.equal(await life(await temporaryDirectory(), new Map(), disk), undefined)
  return calls
}

describe('crash', () => {
  test('a query killed around any call to the disk goes on exactly', async (t) => {
    t.diagnostic(`SLUICE_SEED=${seed}`)
    const calls = await callsOfCleanRun()
    assert.ok(calls.length > 100)
    for (const [i, call] of sampled(calls)) {
      for (const when of call === 'write' ? (['before', 'half'] as const) : (['before'] as const)) {
        const directory = await temporaryDirectory()
        const ledger: Ledger = new Map()
        lives = 0
        const error = await life(directory, ledger, dyingDisk(i + 1, when))
        // Removing a leftover and giving the epoch back may fail in silence.
        if (error !== undefined) assert.ok(isCrash(error), `${call} ${i + 1} ${when}: ${String(error)}`)
        await assertRecovers(directory, ledger)
      }
    }
  })

  test('a query killed again and again, also while it recovers, goes on exactly', async (t) => {
    const random = seededRandom(seed)
    t.diagnostic(`SLUICE_SEED=${seed}`)
    for (let run = 0; run < 40; run++) {
      const directory = await temporaryDirectory()
      const ledger: Ledger = new Map()
      for (let crash = 0; crash < 4; crash++) {
        const when = random.pick(['before', 'half', 'after'] as const)
        await life(directory, ledger, dyingDisk(1 + random.below(120), when))
      }
      await assertRecovers(directory, ledger)
    }
  })

  test('a disk that is full or fails at any call ends the query with a code, and it goes on exactly', async () => {
    const calls = await callsOfCleanRun()
    const faults = {
      write: 'ENOSPC',
      link: 'ENOSPC',
      mkdir: 'EDQUOT',
      mkdtemp: 'ENOSPC',
      sync: 'EIO',
      unlink: 'EROFS',
    }
    for (const [i, call] of sampled(calls)) {
      const code = (faults as Partial<Record<DiskCall, string>>)[call]
      if (code === undefined) continue
      const directory = await temporaryDirectory()
      const ledger: Ledger = new Map()
      const disk = faultyDisk(async (_call, carryOut, { nth, bytes, writeOnly }) => {
        if (nth < i + 1) return carryOut()
        // What Linux does: a part fits, and only the next call says that nothing more does.
        if (nth === i + 1 && bytes) return writeOnly?.(bytes >> 1)
        throw systemError(code)
      })
      lives = 0
      const error = await life(directory, ledger, disk)
      if (error !== undefined) assert.ok(error instanceof SluiceError, `${call} ${i + 1}: ${String(error)}`)
      await assertRecovers(directory, ledger)
    }
  })

  const points: readonly (readonly [call: DiskCall, nth: number, when: string])[] = [
    ['link', 4, 'after'],
    ['write', 9, 'half'],
    ['link', 12, 'before'],
    ['sync', 20, 'before'],
    ['unlink', 14, 'after'],
  ]
  for (const [call, nth, when] of points) {
    test(`a process killed with SIGKILL at ${call} ${nth} (${when}) is replaced at once and exactly`, async () => {
      const directory = await temporaryDirectory()
      const [location, sink] = [join(directory, 'checkpoint'), join(directory, 'sink')]
      const child = new CheckpointChild('run', location, sink, String(END), call, String(nth), when)
      assert.equal(await child.ended(), 'SIGKILL')
      // The real process table and a manual clock: waiting for a dead process would never end.
      const given = options({ processes: processTable })
      const sum = await runQuery(new DiskStorage(location), fileSink(sink), END, () => 4, given)
      assertExact(await readLedger(sink), sum, END)
    })
  }
})

/** One call in five, from a place that differs from run to run; all of them with `SLUICE_SEEDS`. */
function sampled(calls: readonly DiskCall[]): (readonly [index: number, call: DiskCall])[] {
  const all = [...calls.entries()]
  const first = seededRandom(seed).below(SHARE)
  return process.env['SLUICE_SEEDS'] === undefined ? all.filter(([i]) => i % SHARE === first) : all
}

function isCrash(error: unknown): boolean {
  return error instanceof Crash || (error instanceof Error && isCrash(error.cause))
}
