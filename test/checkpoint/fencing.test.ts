import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import type { Liveness } from '../../src/checkpoint/holder.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'
import { systemClock } from '../../src/clock.ts'
import { type ErrorCode, hasCode } from '../../src/errors.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { CheckpointChild } from './checkpoint-child.ts'
import { MemoryStorage } from './memory-storage.ts'
import {
  assertExact,
  type Ledger,
  ledgerSink,
  loadSum,
  options,
  processesThatAre,
  runBatches,
} from './query.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const named =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown) =>
    hasCode(error, code) && words.every((word) => error.message.includes(word))

const intentOf = (checkpoint: Checkpoint, end: number) => ({
  batchId: checkpoint.last + 1,
  epoch: checkpoint.epoch,
  startedAtMs: 0,
  watermarkMs: null,
  sources: [{ range: { start: 0, end }, rows: end, digest: String(end) }],
})
const commitOf = (checkpoint: Checkpoint) => ({
  batchId: checkpoint.last + 1,
  epoch: checkpoint.epoch,
  nextWatermarkMs: null,
  state: [],
})

/** Lets a writer sleep between its look at the epochs and its append, which is where a zombie does harm. */
class SleepyStorage extends MemoryStorage {
  asleep: ((path: string) => Promise<void>) | undefined

  override async create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    await this.asleep?.(path)
    return super.create(path, bytes)
  }
}

describe('fencing', () => {
  test('a replaced writer can append nothing more, and is told by whom it was replaced', async () => {
    const storage = new MemoryStorage()
    const old = await Checkpoint.open(storage, options())
    await old.logIntent(intentOf(old, 5))
    const successor = await Checkpoint.open(storage, options())
    const before = new Map(storage.files)
    const fenced = named('CHECKPOINT_FENCED', 'epoch 1', 'epoch 2', '4711', 'elsewhere')
    await assert.rejects(old.logCommit(commitOf(old)), fenced)
    await assert.rejects(old.pinInitialPosition(0, 1), fenced)
    await assert.rejects(old.assertHeld(), fenced)
    await old.close()
    assert.deepEqual(storage.files, before)
    await successor.assertHeld()
    await successor.logCommit(commitOf(successor))
    await assert.rejects(old.purge(1), fenced)
  })

  test('an intent that a replaced writer appends in its sleep is met as a conflict and then run as logged', async () => {
    const files = new Map<string, Uint8Array>()
    const storage = new SleepyStorage(files)
    const old = await Checkpoint.open(storage, options())
    let successor: Checkpoint | undefined
    storage.asleep = async () => {
      successor ??= await Checkpoint.open(new MemoryStorage(files), options())
    }
    await old.logIntent(intentOf(old, 5))
    assert.ok(successor)
    await assert.rejects(old.assertHeld(), named('CHECKPOINT_FENCED'))
    await assert.rejects(
      successor.logIntent(intentOf(successor, 9)),
      named('CHECKPOINT_CONFLICT', 'offsets/0', 'epoch 1', 'epoch 2', 'start the query again'),
    )
    await successor.close()
    const third = await Checkpoint.open(new MemoryStorage(files), options())
    assert.equal(third.pending?.sources[0]?.range.end, 5)
  })

  test('a commit that a replaced writer appends in its sleep keeps its state, and the successor starts again', async () => {
    const files = new Map<string, Uint8Array>()
    const storage = new SleepyStorage(files)
    const old = await Checkpoint.open(storage, options())
    await old.logIntent(intentOf(old, 5))
    const saved = await save(old, '15')
    let successor: Checkpoint | undefined
    storage.asleep = async (path) => {
      if (path.startsWith('commits/'))
        successor ??= await Checkpoint.open(new MemoryStorage(files), options())
    }
    await old.logCommit({ ...commitOf(old), state: [saved] })
    assert.ok(successor)
    const mine = await save(successor, '15')
    const late = { ...commitOf(successor), state: [mine] }
    await assert.rejects(successor.logCommit(late), named('CHECKPOINT_CONFLICT', 'commits/0'))
    await successor.close()
    const third = await Checkpoint.open(new MemoryStorage(files), options())
    assert.equal(third.last, 0)
    assert.deepEqual(third.state.chain, [saved])
    assert.equal(await loadSum(third), 15)
  })

  test('what a writer appends after it slept through its replacement and a purge changes nothing', async () => {
    for (const late of ['offsets/', 'commits/']) {
      const files = new Map<string, Uint8Array>()
      const storage = new SleepyStorage(files)
      const old = await Checkpoint.open(storage, options())
      const ledger: Ledger = new Map()
      storage.asleep = async (path) => {
        if (!path.startsWith(late)) return
        storage.asleep = undefined
        await runOn(files, ledger, 20)
      }
      await old.pinInitialPosition(0, 0)
      const range = { start: 0, end: 3 }
      const intent = { ...intentOf(old, 3), sources: [{ range, rows: 3, digest: '3' }] }
      await old.logIntent(intent).catch(() => undefined)
      if (late === 'commits/') await old.logCommit({ ...commitOf(old), state: [await save(old, '6')] })
      assert.ok(files.has(`${late}0`), 'the late file came to be')
      assertExact(ledger, await runOn(files, ledger, 24), 24)
      assertExact(ledger, await runOn(files, ledger, 40, 1000), 40)
      assertExact(ledger, await runOn(files, ledger, 44), 44)
    }
  })

  test('a commit that lands while a successor takes its epoch is seen by the successor', async () => {
    const files = new Map<string, Uint8Array>()
    const old = await Checkpoint.open(new MemoryStorage(files), options())
    await old.logIntent(intentOf(old, 5))
    const storage = new SleepyStorage(files)
    storage.asleep = async (path) => {
      if (path === 'epochs/2') await old.logCommit(commitOf(old))
    }
    const successor = await Checkpoint.open(storage, options())
    assert.equal(successor.last, 0)
    assert.equal(successor.pending, undefined)
  })

  test('an epoch that was taken, replaced and tidied away while a start slept is not taken again', async () => {
    const files = new Map<string, Uint8Array>()
    await (await Checkpoint.open(new MemoryStorage(files), options())).close()
    const storage = new SleepyStorage(files)
    storage.asleep = async (path) => {
      if (path !== 'epochs/2') return
      for (let start = 0; start < 14; start++) await Checkpoint.open(new MemoryStorage(files), options())
      assert.ok(!files.has(path), 'tidied away')
    }
    await assert.rejects(Checkpoint.open(storage, options()), named('CHECKPOINT_IN_USE', 'epoch 15'))
  })

  test('a holder on this machine that lives is refused at once, by its process and host', async () => {
    const storage = new MemoryStorage()
    const holder = await Checkpoint.open(storage, options())
    const before = new Map(storage.files)
    const second = options({ processes: processesThatAre('alive') })
    await assert.rejects(
      Checkpoint.open(storage, second),
      named('CHECKPOINT_IN_USE', 'process 4711', 'host elsewhere', 'epoch 1'),
    )
    assert.deepEqual(storage.files, before)
    await holder.assertHeld()
  })

  for (const liveness of ['unknown', 'stopped'] satisfies Liveness[]) {
    test(`a holder that is ${liveness} is refused when its beat moves`, async () => {
      const storage = new MemoryStorage()
      const [holderClock, clock] = [new ManualClock({ seed: 'holder' }), new ManualClock({ seed: 'taker' })]
      await Checkpoint.open(storage, options({ clock: holderClock, heartbeatMs: 1000 }))
      const start = Checkpoint.open(storage, options({ clock, processes: processesThatAre(liveness) }))
      const refused = assert.rejects(start, named('CHECKPOINT_IN_USE', '4711'))
      await until(() => clock.sleeping > 0)
      // A day apart on the wall: clocks of two machines are never compared.
      holderClock.jump(-86_400_000)
      await holderClock.advance(1000)
      await until(() => storage.files.has('epochs/1.beat.1'))
      await clock.advance(500)
      await refused
    })

    test(`a holder that is ${liveness} is replaced once four of its beats were missed, not before`, async () => {
      const storage = new MemoryStorage()
      const clock = new ManualClock({ seed: 'taker' })
      const old = await Checkpoint.open(storage, options({ heartbeatMs: 1000 }))
      let taken: Checkpoint | undefined
      const start = Checkpoint.open(storage, options({ clock, processes: processesThatAre(liveness) }))
      void start.then((checkpoint) => {
        taken = checkpoint
      })
      for (let halfBeat = 1; halfBeat <= 8; halfBeat++) {
        await until(() => clock.sleeping > 0)
        assert.equal(taken, undefined)
        await clock.advance(500)
      }
      assert.equal((await start).epoch, 2)
      await assert.rejects(old.assertHeld(), named('CHECKPOINT_FENCED'))
    })
  }

  test('a holder elsewhere that gave its epoch back is replaced at once', async () => {
    const storage = new MemoryStorage()
    await (await Checkpoint.open(storage, options())).close()
    const next = await Checkpoint.open(storage, options({ processes: processesThatAre('unknown') }))
    assert.equal(next.epoch, 2)
  })

  test('only the latest beat is kept, and none after closing', async () => {
    const storage = new MemoryStorage()
    const clock = new ManualClock({ seed: 'beats' })
    const checkpoint = await Checkpoint.open(storage, options({ clock, heartbeatMs: 1000 }))
    const beats = () => [...storage.files.keys()].filter((path) => path.includes('.beat.'))
    for (let beat = 1; beat <= 3; beat++) {
      await until(() => clock.sleeping > 0)
      await clock.advance(1000)
      await until(() => beats().length === 1 && beats()[0] === `epochs/1.beat.${beat}`)
    }
    await checkpoint.close()
    assert.deepEqual(beats(), [])
  })

  test('no epoch is used twice, even when its record was lost', async () => {
    const storage = new MemoryStorage()
    const first = await Checkpoint.open(storage, options())
    await first.logIntent(intentOf(first, 5))
    await save(first, '15')
    storage.files.delete('epochs/1')
    const second = await Checkpoint.open(storage, options())
    assert.equal(second.epoch, 2)
    await assert.rejects(first.assertHeld(), named('CHECKPOINT_FENCED'))
  })

  test('records of old epochs are tidied away', async () => {
    const storage = new MemoryStorage()
    for (let start = 1; start <= 25; start++) await (await Checkpoint.open(storage, options())).close()
    assert.ok((await storage.list('epochs/')).length <= 20)
    assert.equal((await Checkpoint.open(storage, options())).epoch, 26)
  })

  test('a second process is refused while the first lives and let in when it was killed', async () => {
    const location = join(await temporaryDirectory(), 'checkpoint')
    const child = new CheckpointChild('hold', location, '10000')
    assert.equal(await child.line(), 'held')
    const given = options({ processes: processTable })
    await assert.rejects(
      Checkpoint.open(new DiskStorage(location), given),
      named('CHECKPOINT_IN_USE', `process ${child.pid}`),
    )
    child.signal('SIGKILL')
    await child.ended()
    const next = await Checkpoint.open(new DiskStorage(location), given)
    assert.equal(next.epoch, 2)
    await next.close()
  })

  test('a process that was stopped, replaced and continued is fenced at its next append', async () => {
    const location = join(await temporaryDirectory(), 'checkpoint')
    const child = new CheckpointChild('hold', location, '50')
    assert.equal(await child.line(), 'held')
    await child.suspend()
    const given = options({ clock: systemClock, processes: processTable })
    const successor = await Checkpoint.open(new DiskStorage(location), given)
    assert.equal(successor.epoch, 2)
    await successor.logIntent(intentOf(successor, 9))
    const storage = new DiskStorage(location)
    const before = await storage.list('offsets/')
    child.signal('SIGCONT')
    child.go()
    assert.equal(await child.line(), 'CHECKPOINT_FENCED')
    assert.deepEqual(await storage.list('offsets/'), before)
    await successor.logCommit(commitOf(successor))
    await successor.close()
  })

  test('of several processes that start at once exactly one holds the checkpoint', async () => {
    const location = join(await temporaryDirectory(), 'checkpoint')
    const children = [0, 1, 2, 3].map(() => new CheckpointChild('open', location))
    for (const child of children) assert.equal(await child.line(), 'ready')
    for (const child of children) child.go()
    const outcomes = await Promise.all(children.map((child) => child.line()))
    const losers = ['CHECKPOINT_IN_USE', 'CHECKPOINT_IN_USE', 'CHECKPOINT_IN_USE']
    assert.deepEqual(outcomes.sort(), [...losers, 'held'])
  })
})

async function save(checkpoint: Checkpoint, content: string) {
  const file = await checkpoint.state.write((path) => writeFile(path, content))
  return checkpoint.state.save('sum', checkpoint.last + 1, 'delta', file)
}

async function runOn(files: Map<string, Uint8Array>, ledger: Ledger, end: number, keep = 2): Promise<number> {
  const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
  const sum = await runBatches(checkpoint, ledgerSink(ledger), end, () => 3)
  await checkpoint.purge(keep)
  await checkpoint.close()
  return sum
}

/** Gives other work its turns until `condition` holds; a test that waits in vain is ended by its runner. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
