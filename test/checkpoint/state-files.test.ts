import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import type { StateFile } from '../../src/checkpoint/state-file.ts'
import { StateFiles } from '../../src/checkpoint/state-files.ts'
import { type ErrorCode, hasCode, SluiceError } from '../../src/errors.ts'
import { MemoryStorage } from './memory-storage.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const named =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown) =>
    hasCode(error, code) && words.every((word) => error.message.includes(word))

async function saved(
  state: StateFiles,
  batchId: number,
  kind: StateFile['kind'],
  content: string,
): Promise<StateFile> {
  const file = await state.write((path) => writeFile(path, content))
  return state.save('agg', batchId, kind, file)
}

describe('state files', () => {
  test('records name, size and checksum, and gives back the content', async () => {
    const storage = new DiskStorage(join(await temporaryDirectory(), 'checkpoint'))
    const state = new StateFiles(storage, 3, [])
    const file = await saved(state, 12, 'delta', '123456789')
    assert.deepEqual(file, {
      path: 'state/agg/12.3.delta.parquet',
      operator: 'agg',
      batchId: 12,
      epoch: 3,
      kind: 'delta',
      bytes: 9,
      crc32: 'cbf43926',
    })
    const [loaded, ...none] = await new StateFiles(storage, 4, [file]).load('agg')
    assert.deepEqual(none, [])
    assert.equal(await readFile(loaded?.file ?? '', 'utf8'), '123456789')
    assert.deepEqual(await state.load('agg'), [])
    assert.deepEqual(await new StateFiles(storage, 4, [file]).load('other'), [])
  })

  test('a batch that is saved again meets neither the file of a predecessor nor its own', async () => {
    const storage = new MemoryStorage()
    const [old, successor] = [new StateFiles(storage, 1, []), new StateFiles(storage, 2, [])]
    const files = [
      await saved(old, 5, 'delta', 'a'),
      await saved(successor, 5, 'delta', 'b'),
      await saved(successor, 5, 'delta', 'c'),
    ]
    assert.deepEqual(
      files.map((file) => file.path),
      ['state/agg/5.1.delta.parquet', 'state/agg/5.2.delta.parquet', 'state/agg/5.2.2.delta.parquet'],
    )
    const [loaded] = await new StateFiles(storage, 3, files.slice(2)).load('agg')
    assert.equal(await readFile(loaded?.file ?? '', 'utf8'), 'c')
  })

  test('a snapshot takes the place of everything before it, of its operator alone', async () => {
    const storage = new MemoryStorage()
    let state = new StateFiles(storage, 1, [])
    const add = async (batchId: number, kind: StateFile['kind']) => {
      state = new StateFiles(storage, 1, state.after([await saved(state, batchId, kind, `${batchId}`)]))
    }
    const file = await state.write((path) => writeFile(path, 'left'))
    state = new StateFiles(storage, 1, state.after([await state.save('join', 0, 'delta', file)]))
    await add(0, 'delta')
    await add(1, 'delta')
    await add(2, 'snapshot')
    await add(3, 'delta')
    const loaded = await state.load('agg')
    assert.deepEqual(
      loaded.map(({ batchId, kind }) => [batchId, kind]),
      [
        [2, 'snapshot'],
        [3, 'delta'],
      ],
    )
    assert.equal((await state.load('join')).length, 1)
  })

  test('a missing, shortened or changed file is named with what was expected and found', async () => {
    const storage = new MemoryStorage()
    const state = new StateFiles(storage, 1, [])
    const file = await saved(state, 0, 'snapshot', '123456789')
    const later = new StateFiles(storage, 2, [file])
    const bytes = storage.files.get(file.path) ?? new Uint8Array()
    storage.files.set(file.path, bytes.subarray(0, 8))
    await assert.rejects(later.load('agg'), named('CHECKPOINT_CORRUPT', file.path, 'holds 8 bytes', 'says 9'))
    storage.files.set(file.path, Buffer.from('123456780'))
    await assert.rejects(later.load('agg'), named('CHECKPOINT_CORRUPT', file.path, 'cbf43926'))
    storage.files.delete(file.path)
    await assert.rejects(later.load('agg'), named('CHECKPOINT_CORRUPT', file.path, 'is missing'))
  })

  test('an operator name that could leave its folder is refused', async () => {
    const state = new StateFiles(new MemoryStorage(), 1, [])
    for (const operator of ['', '..', 'a/b', '.a', 'a.b', 'é', '-a']) {
      await assert.rejects(state.save(operator, 0, 'delta', '/nowhere'), named('CHECKPOINT_MISUSE'), operator)
    }
  })

  test('a file that was never written is told', async () => {
    const state = new StateFiles(new MemoryStorage(), 1, [])
    await assert.rejects(
      state.save('agg', 0, 'delta', '/nowhere/at/all'),
      named('CHECKPOINT_IO', '/nowhere/at/all'),
    )
  })

  test('a disk that is full while DuckDB writes is told by its code, and nothing is left of the file', async () => {
    const storage = new MemoryStorage()
    const state = new StateFiles(storage, 1, [])
    const broken: readonly (readonly [words: string, code: ErrorCode])[] = [
      ['Could not write file "/s/7": No space left on device', 'CHECKPOINT_FULL'],
      ['Cannot open file "/s/7": Permission denied', 'CHECKPOINT_DENIED'],
      ['Could not write file "/s/7": Input/output error', 'CHECKPOINT_IO'],
      ['Could not convert string to INT32', 'SQL_FAILED'],
    ]
    for (const [reason, code] of broken) {
      let written = ''
      await assert.rejects(
        state.write(async (file) => {
          written = file
          await writeFile(file, 'half')
          throw new SluiceError('SQL_FAILED', { reason })
        }),
        (error) => error instanceof SluiceError && error.code === code && error.message.includes(reason),
        reason,
      )
      await assert.rejects(stat(written), /ENOENT/)
    }
  })
})
