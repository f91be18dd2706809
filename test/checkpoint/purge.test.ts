import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import type { StateFile, StateKind } from '../../src/checkpoint/state-file.ts'
import { MemoryStorage } from './memory-storage.ts'
import { options } from './query.ts'

type Saves = Readonly<Record<string, StateKind>>

/** Runs one batch that saves these operators' state, without caring for rows. */
async function batch(checkpoint: Checkpoint, saves: Saves = {}): Promise<void> {
  const { epoch, last } = checkpoint
  const batchId = last + 1
  const sources = [{ range: { start: last, end: batchId }, rows: 1, digest: '' }]
  if (!checkpoint.pending) {
    await checkpoint.logIntent({ batchId, epoch, startedAtMs: 0, watermarkMs: null, sources })
  }
  const state: StateFile[] = []
  for (const [operator, kind] of Object.entries(saves)) state.push(await save(checkpoint, operator, kind))
  await checkpoint.logCommit({ batchId, epoch, nextWatermarkMs: null, state })
}

async function save(checkpoint: Checkpoint, operator: string, kind: StateKind): Promise<StateFile> {
  const file = await checkpoint.state.write((path) => writeFile(path, `${operator} ${checkpoint.last + 1}`))
  return checkpoint.state.save(operator, checkpoint.last + 1, kind, file)
}

describe('purge', () => {
  test('keeps as many batches as asked, and what they need', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    await checkpoint.pinInitialPosition(0, 0)
    for (let n = 0; n < 7; n++) await batch(checkpoint)
    await checkpoint.purge(3)
    assert.deepEqual(await storage.list('commits/'), ['commits/4', 'commits/5', 'commits/6'])
    assert.deepEqual(await storage.list('offsets/'), ['offsets/4', 'offsets/5', 'offsets/6'])
    assert.deepEqual(await storage.list('sources/'), ['sources/0/initial'])
    await checkpoint.purge(100)
    assert.equal((await storage.list('commits/')).length, 3)
    await checkpoint.purge(1)
    assert.deepEqual(await storage.list('commits/'), ['commits/6'])
  })

  test('keeps the snapshot and the deltas that the oldest retained batch is made of', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    await batch(checkpoint, { agg: 'delta', join: 'snapshot' }) // 0
    await batch(checkpoint, { agg: 'snapshot' }) // 1
    await batch(checkpoint, { agg: 'delta' }) // 2
    await batch(checkpoint, { agg: 'snapshot' }) // 3
    await batch(checkpoint, { agg: 'delta', join: 'delta' }) // 4
    await checkpoint.purge(3)
    const kept = [
      'state/agg/1.1.snapshot.parquet',
      'state/agg/2.1.delta.parquet',
      'state/agg/3.1.snapshot.parquet',
      'state/agg/4.1.delta.parquet',
      'state/join/0.1.snapshot.parquet',
      'state/join/4.1.delta.parquet',
    ]
    assert.deepEqual(await storage.list('state/'), kept)
    await checkpoint.purge(2)
    assert.deepEqual(await storage.list('state/'), kept.slice(2))
    await checkpoint.close()
    const next = await Checkpoint.open(storage, options())
    assert.equal((await next.state.load('agg')).length, 2)
    assert.equal((await next.state.load('join')).length, 2)
  })

  test('spares the state of a batch that nobody has committed', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    for (let n = 0; n < 3; n++) await batch(checkpoint, { agg: 'snapshot' })
    const saved = await save(checkpoint, 'agg', 'delta')
    await checkpoint.purge(1)
    assert.ok(storage.files.has(saved.path))
  })

  test('sweeps what an interrupted run of a batch has left once the batch is committed', async () => {
    const storage = new MemoryStorage()
    const first = await Checkpoint.open(storage, options())
    await batch(first, { agg: 'delta' })
    const sources = [{ range: { start: 0, end: 1 }, rows: 1, digest: '' }]
    await first.logIntent({ batchId: 1, epoch: 1, startedAtMs: 0, watermarkMs: null, sources })
    await save(first, 'agg', 'delta')
    const second = await Checkpoint.open(storage, options())
    await save(second, 'agg', 'snapshot')
    await second.purge(100)
    assert.equal((await storage.list('state/')).length, 3)
    await batch(second, { agg: 'delta' })
    await second.purge(100)
    const left = ['state/agg/0.1.delta.parquet', 'state/agg/1.2.delta.parquet']
    assert.deepEqual(await storage.list('state/'), left)
  })

  for (const left of [['commits/3'], ['commits/3', 'offsets/3']]) {
    test(`is not misled by ${left.join(' and ')} of a writer that slept through a purge`, async () => {
      const storage = new MemoryStorage()
      const old = await Checkpoint.open(storage, options())
      for (let n = 0; n < 3; n++) await batch(old, { agg: 'delta' })
      const asleep = new MemoryStorage(new Map(storage.files))
      const oldToo = await Checkpoint.open(asleep, options())
      await batch(oldToo, { agg: 'delta' })
      await (await Checkpoint.open(storage, options())).close()
      const successor = await Checkpoint.open(storage, options())
      for (let n = 3; n < 10; n++) await batch(successor, { agg: 'delta' })
      await batch(successor, { agg: left.length === 1 ? 'snapshot' : 'delta' })
      await successor.purge(2)
      for (const path of left) storage.files.set(path, asleep.files.get(path) ?? new Uint8Array())
      await successor.purge(8)
      assert.ok(storage.files.has('state/agg/3.3.delta.parquet'))
      const restarted = await Checkpoint.open(storage, options())
      assert.equal(restarted.last, 10)
      assert.equal((await restarted.state.load('agg')).length, left.length === 1 ? 1 : 11)
    })
  }

  test('leaves a checkpoint that can be opened wherever it is interrupted', async () => {
    const golden = new MemoryStorage()
    const checkpoint = await Checkpoint.open(golden, options())
    for (let n = 0; n < 9; n++) await batch(checkpoint, { agg: n % 3 === 0 ? 'snapshot' : 'delta' })
    await checkpoint.close()
    for (let removals = 0; ; removals++) {
      const storage = new MemoryStorage(new Map(golden.files))
      const opened = await Checkpoint.open(storage, options())
      let left = removals
      storage.remove = async (path) => {
        if (left-- === 0) throw new Error('killed')
        return MemoryStorage.prototype.remove.call(storage, path)
      }
      const outcome = await opened.purge(2).then(
        () => 'done',
        () => 'killed',
      )
      const restarted = await Checkpoint.open(new MemoryStorage(storage.files), options())
      assert.equal(restarted.last, 8)
      assert.equal((await restarted.state.load('agg')).length, 3)
      await restarted.purge(2)
      assert.deepEqual(await storage.list('commits/'), ['commits/7', 'commits/8'])
      assert.equal((await storage.list('state/')).length, 3)
      if (outcome === 'done') break
    }
  })
})
