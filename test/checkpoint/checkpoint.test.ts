import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Json } from '../../src/batch.ts'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import type { BatchIntent } from '../../src/checkpoint/offsets.ts'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { type ErrorCode, hasCode } from '../../src/errors.ts'
import { MemoryStorage } from './memory-storage.ts'
import { options, processesThatAre, runQuery } from './query.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const named =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown) =>
    hasCode(error, code) && words.every((word) => error.message.includes(word))

const intent = (checkpoint: Checkpoint, changed: Partial<BatchIntent> = {}): BatchIntent => ({
  batchId: checkpoint.last + 1,
  epoch: checkpoint.epoch,
  startedAtMs: 1_700_000_000_123,
  watermarkMs: null,
  sources: [{ range: { start: 0, end: { shard: '4959' } }, rows: 3, digest: 'abc' }],
  ...changed,
})

async function commit(checkpoint: Checkpoint, nextWatermarkMs: number | null = null): Promise<void> {
  const { epoch, pending } = checkpoint
  await checkpoint.logCommit({ batchId: pending?.batchId ?? -1, epoch, nextWatermarkMs, state: [] })
}

describe('checkpoint', () => {
  test('a fresh location becomes the checkpoint of the query', async () => {
    const location = join(await temporaryDirectory(), 'deep/er')
    const checkpoint = await Checkpoint.open(new DiskStorage(location), options())
    assert.equal(checkpoint.last, -1)
    assert.equal(checkpoint.epoch, 1)
    assert.equal(checkpoint.pending, undefined)
    assert.equal(checkpoint.lastIntent, undefined)
    assert.equal(checkpoint.nextWatermarkMs, null)
    assert.match(checkpoint.queryId, /^[0-9a-f-]{36}$/)
    await checkpoint.close()
    assert.deepEqual(await new DiskStorage(location).list(''), ['epochs/1', 'epochs/1.released', 'metadata'])
  })

  test('the query keeps its id and its beginning over every start, and each start has a higher epoch', async () => {
    const storage = new MemoryStorage()
    const first = await Checkpoint.open(storage, options())
    await first.close()
    for (let epoch = 2; epoch < 5; epoch++) {
      const later = await Checkpoint.open(storage, options())
      assert.equal(later.queryId, first.queryId)
      assert.deepEqual(later.identity, first.identity)
      assert.equal(later.epoch, epoch)
      await later.close()
    }
  })

  test('a batch that was logged and not committed is handed over exactly', async () => {
    const storage = new MemoryStorage()
    const first = await Checkpoint.open(storage, options())
    const logged = intent(first, { watermarkMs: 42, startedAtMs: 99 })
    await first.logIntent(logged)
    assert.deepEqual(first.pending, logged)
    await first.close()

    const second = await Checkpoint.open(storage, options())
    assert.equal(second.last, -1)
    assert.deepEqual(second.pending, logged)
    await assert.rejects(
      second.logIntent(intent(second)),
      named('CHECKPOINT_MISUSE', 'must be run as it was logged'),
    )
    await commit(second, 43)
    assert.equal(second.last, 0)
    assert.equal(second.pending, undefined)
    await second.close()

    const third = await Checkpoint.open(storage, options())
    assert.equal(third.last, 0)
    assert.deepEqual(third.lastIntent, logged)
    assert.equal(third.pending, undefined)
    assert.equal(third.nextWatermarkMs, 43)
  })

  test('positions of any JSON shape come back unchanged', async () => {
    const storage = new MemoryStorage()
    const position: Json = JSON.parse(
      '{"__proto__":{"a":1},"shardId-0":{"seq":"4959","sub":null},"x":[1.5,"é"]}',
    )
    const first = await Checkpoint.open(storage, options())
    await first.pinInitialPosition(0, position)
    await first.logIntent(
      intent(first, { sources: [{ range: { start: position, end: [] }, rows: 0, digest: '' }] }),
    )
    await first.close()
    const second = await Checkpoint.open(storage, options())
    assert.deepEqual(await second.initialPosition(0), position)
    assert.deepEqual(second.pending?.sources[0]?.range.start, position)
  })

  test('the initial position is pinned once', async () => {
    const storage = new MemoryStorage()
    const first = await Checkpoint.open(storage, options())
    assert.equal(await first.initialPosition(0), undefined)
    await first.pinInitialPosition(0, 'here')
    await first.pinInitialPosition(0, 'here')
    await assert.rejects(
      first.pinInitialPosition(0, 'there'),
      named('CHECKPOINT_CONFLICT', 'sources/0/initial'),
    )
    assert.equal(await first.initialPosition(0), 'here')
  })

  test('steps out of order are refused before anything is written', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    const before = [...storage.files.keys()]
    const misuse = named('CHECKPOINT_MISUSE')
    await assert.rejects(commit(checkpoint), misuse)
    await assert.rejects(checkpoint.logIntent(intent(checkpoint, { batchId: 1 })), misuse)
    await assert.rejects(checkpoint.logIntent(intent(checkpoint, { epoch: 7 })), misuse)
    await assert.rejects(checkpoint.logIntent(intent(checkpoint, { sources: [] })), misuse)
    await assert.rejects(checkpoint.logIntent(intent(checkpoint, { watermarkMs: Number.NaN })), misuse)
    await assert.rejects(checkpoint.purge(0), misuse)
    await assert.rejects(checkpoint.purge(1.5), misuse)
    await assert.rejects(Checkpoint.open(storage, options({ heartbeatMs: 0 })), misuse)
    assert.deepEqual([...storage.files.keys()], before)
  })

  test('the same write done twice is one write, a different one is a conflict', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    await checkpoint.logIntent(intent(checkpoint))
    await checkpoint.logIntent(intent(checkpoint))
    await assert.rejects(
      checkpoint.logIntent(intent(checkpoint, { startedAtMs: 5 })),
      named('CHECKPOINT_CONFLICT', 'offsets/0'),
    )
    await commit(checkpoint)
    assert.equal(checkpoint.last, 0)
  })

  test('a write whose answer was lost is recognised as our own', async () => {
    const storage = new MemoryStorage()
    const lossy: Storage = Object.assign(Object.create(storage) as Storage, {
      // What a transport does that repeats a request after the first one was carried out.
      create: async (path: string, bytes: Uint8Array) => {
        await MemoryStorage.prototype.create.call(storage, path, bytes)
        return MemoryStorage.prototype.create.call(storage, path, bytes)
      },
      list: (folder: string, limit?: number) => storage.list(folder, limit),
      read: (path: string) => storage.read(path),
      remove: (path: string) => storage.remove(path),
    })
    const checkpoint = await Checkpoint.open(lossy, options())
    await checkpoint.pinInitialPosition(0, 'here')
    await checkpoint.logIntent(intent(checkpoint))
    await commit(checkpoint)
    assert.equal(checkpoint.last, 0)
  })

  test('another query is refused with what changed and the choices, and nothing is touched', async () => {
    const storage = new MemoryStorage()
    await (await Checkpoint.open(storage, options())).close()
    const before = new Map(storage.files)
    const changed = options({ fingerprint: { keys: ['page', 'user'], aggregates: ['count(*)'] } })
    await assert.rejects(
      Checkpoint.open(storage, changed),
      named(
        'CHECKPOINT_INCOMPATIBLE',
        'query.keys[1] was absent, now "user"',
        'undo the change',
        'new checkpoint',
      ),
    )
    await assert.rejects(
      Checkpoint.open(storage, options({ sources: ['numbers', 'letters'] })),
      named('CHECKPOINT_INCOMPATIBLE', 'sources[1] was absent, now "letters"'),
    )
    await assert.rejects(
      Checkpoint.open(storage, options({ fingerprint: [] })),
      named('CHECKPOINT_INCOMPATIBLE', 'query was {"keys"'),
    )
    assert.deepEqual(storage.files, before)
    // The order of keys is no change.
    const same = options({ fingerprint: { aggregates: ['count(*)'], keys: ['page'] } })
    await (await Checkpoint.open(storage, same)).close()
  })

  test('a directory with other things in it is refused and left alone', async () => {
    const storage = new MemoryStorage(new Map([['holiday.jpg', new Uint8Array(9)]]))
    await assert.rejects(Checkpoint.open(storage, options()), named('CHECKPOINT_FOREIGN', 'holiday.jpg'))
    assert.deepEqual([...storage.files.keys()], ['holiday.jpg'])
  })

  test('the metadata of another system is not taken for ours', async () => {
    const spark = new TextEncoder().encode('{"id":"5a0e4f36-64b4-4b3b-9c94-54a1f2f2b6b5"}')
    const storage = new MemoryStorage(new Map([['metadata', spark]]))
    await assert.rejects(
      Checkpoint.open(storage, options()),
      named('CHECKPOINT_CORRUPT', 'metadata', 'not ours'),
    )
  })

  test('a location in a directory that is none is refused', async () => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'file'), 'x')
    const storage = new DiskStorage(join(directory, 'file'))
    await assert.rejects(Checkpoint.open(storage, options()), named('CHECKPOINT_LOCATION', 'file'))
  })

  test('of many first starts at once one gets the checkpoint and the others are told who has it', async () => {
    const location = join(await temporaryDirectory(), 'checkpoint')
    const starts = await Promise.allSettled(
      Array.from({ length: 16 }, () =>
        Checkpoint.open(new DiskStorage(location), options({ processes: processesThatAre('alive') })),
      ),
    )
    const winners = starts.filter((start) => start.status === 'fulfilled')
    assert.equal(winners.length, 1)
    for (const start of starts) {
      if (start.status === 'rejected')
        assert.ok(named('CHECKPOINT_IN_USE', '4711')(start.reason), start.reason)
    }
    await winners[0]?.value.close()
  })

  test('a first start that comes between the looks of another is not taken for damage', async () => {
    const storage = new MemoryStorage()
    let first: Checkpoint | undefined
    storage.read = async (path) => {
      storage.read = MemoryStorage.prototype.read
      const before = await storage.read(path)
      first = await Checkpoint.open(storage, options())
      return before
    }
    const second = await Checkpoint.open(storage, options())
    assert.equal(second.queryId, first?.queryId)
    assert.equal(second.epoch, 2)
  })

  test('closing is done once and can be repeated', async () => {
    const storage = new MemoryStorage()
    const checkpoint = await Checkpoint.open(storage, options())
    await Promise.all([checkpoint.close(), checkpoint.close()])
    await checkpoint.close()
    assert.ok(storage.files.has('epochs/1.released'))
  })

  test('a start that fails after taking its epoch gives it back', async () => {
    const storage = new MemoryStorage()
    await runQuery(storage, { write: async () => undefined }, 4, () => 2)
    storage.recover = async () => {
      throw new Error('fsync failed')
    }
    await assert.rejects(Checkpoint.open(storage, options()), /fsync failed/)
    storage.recover = async () => undefined
    const next = await Checkpoint.open(storage, options({ processes: processesThatAre('alive') }))
    assert.equal(next.epoch, 3)
  })
})
