import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { type ErrorCode, hasCode } from '../../src/errors.ts'
import { type DiskCall, type Fault, faultyDisk, systemError } from './faulty-disk.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const content = Buffer.alloc(200_000, 'offsets')

async function under(
  fault: Fault,
): Promise<{ storage: DiskStorage; healthy: DiskStorage; directory: string }> {
  const directory = join(await temporaryDirectory(), 'checkpoint')
  return {
    storage: new DiskStorage(directory, faultyDisk(fault)),
    healthy: new DiskStorage(directory),
    directory,
  }
}

const named =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown) =>
    hasCode(error, code) && words.every((word) => error.message.includes(word))

describe('disk storage', () => {
  test('writes everything on a disk that takes a little at a time', async () => {
    const { storage, healthy } = await under(async (call, carryOut, { bytes, writeOnly }) =>
      call === 'write' ? writeOnly?.(Math.min(bytes ?? 0, 7_001)) : carryOut(),
    )
    assert.equal(await storage.create('offsets/0', content), 'created')
    assert.deepEqual(Buffer.from((await healthy.read('offsets/0')) ?? []), content)
  })

  test('leaves nothing when the disk fills up in the middle of a file, and goes on when there is room', async () => {
    let room = 65_536
    const { storage, directory } = await under(async (call, carryOut, { bytes, writeOnly }) => {
      if (call !== 'write') return carryOut()
      if (room === 0) throw systemError('ENOSPC')
      const most = Math.min(room, bytes ?? 0)
      room -= most
      return writeOnly?.(most)
    })
    await assert.rejects(
      storage.create('offsets/0', content),
      named('CHECKPOINT_FULL', 'offsets/0', directory),
    )
    assert.deepEqual(await storage.list(''), [])
    for (const writer of await readdir(join(directory, '.incoming'))) {
      assert.deepEqual(await readdir(join(directory, '.incoming', writer)), [])
    }
    room = 1e9
    assert.equal(await storage.create('offsets/0', content), 'created')
  })

  test('syncs the content before the name appears, and the name before create returns', async () => {
    const calls: string[] = []
    const { storage, directory } = await under(async (call, carryOut, { file }) => {
      calls.push(`${call} ${file.slice(directory.length)}`)
      return carryOut()
    })
    await storage.create('offsets/0', content)
    calls.length = 0
    await storage.create('offsets/1', content)
    assert.match(
      calls.join('\n'),
      /^write \/\.incoming\/writer-\w+\/1\nsync \/\.incoming\/writer-\w+\/1\nlink \/offsets\/1\nsync \/offsets\nunlink /,
    )
    const state = await storage.scratchFile()
    await writeFile(state, content)
    calls.length = 0
    await storage.createFrom('offsets/2', state)
    assert.match(calls.join('\n'), /^sync \/\.incoming\/\S+\nlink \/offsets\/2\nsync \/offsets\nunlink /)
  })

  test('makes a new directory durable in its parent before anything in it counts', async () => {
    const calls: string[] = []
    const { storage, directory } = await under(async (call, carryOut, { file }) => {
      calls.push(`${call} ${file.slice(directory.length)}`)
      return carryOut()
    })
    await storage.create('state/agg/0', content)
    const order = [
      'mkdir /state',
      'sync ',
      'mkdir /state/agg',
      'sync /state',
      'link /state/agg/0',
      'sync /state/agg',
    ]
    const made = calls.slice(calls.lastIndexOf('mkdir /state'))
    assert.deepEqual(
      made.filter((call) => order.includes(call)),
      order,
    )
  })

  test('recovery makes durable what a writer killed between link and sync has left', async () => {
    const synced: string[] = []
    const { storage, healthy, directory } = await under(async (call, carryOut, { file }) => {
      if (call === 'sync') synced.push(file.slice(directory.length))
      return carryOut()
    })
    await healthy.create('offsets/0', content)
    await healthy.create('state/agg/0', content)
    await storage.recover()
    for (const folder of ['/offsets', '/state/agg', '/state', '']) assert.ok(synced.includes(folder), folder)
  })

  test('does not give a name to a file whose sync failed', async () => {
    let failing = false
    const { storage, healthy } = await under(async (call, carryOut) => {
      if (failing && call === 'sync') throw systemError('EIO')
      return carryOut()
    })
    await storage.create('offsets/0', content)
    failing = true
    await assert.rejects(storage.create('offsets/1', content), named('CHECKPOINT_IO', 'offsets/1', 'EIO'))
    assert.deepEqual(await healthy.list(''), ['offsets/0'])
  })

  test('refuses a file system without hard links, and one that links over a name', async () => {
    for (const code of ['EPERM', 'ENOTSUP', 'ENOSYS']) {
      const { storage } = await under(async (call, carryOut) => {
        if (call === 'link') throw systemError(code)
        return carryOut()
      })
      await assert.rejects(storage.create('metadata', content), named('CHECKPOINT_STORE_UNSAFE', code))
    }
    const { storage, healthy } = await under(async (call, carryOut) => {
      if (call === 'link') return carryOut().catch(() => undefined)
      return carryOut()
    })
    await assert.rejects(storage.create('metadata', content), named('CHECKPOINT_STORE_UNSAFE', 'EEXIST'))
    assert.deepEqual(await healthy.list(''), [])
  })

  test('tries again when another writer sweeps the directory while it is looked at', async () => {
    for (const swept of [1, 2, 3]) {
      let links = 0
      const { storage, healthy } = await under(async (call, carryOut) => {
        if (call === 'link' && ++links === swept) throw systemError('ENOENT')
        return carryOut()
      })
      assert.equal(await storage.create('metadata', content), 'created')
      assert.deepEqual(await healthy.list(''), ['metadata'])
    }
  })

  test('recovers though somebody else goes on writing', async () => {
    const { storage, healthy } = await under(async (call, carryOut) => {
      if (call === 'rm') throw systemError('ENOTEMPTY')
      return carryOut()
    })
    await healthy.create('offsets/0', content)
    await storage.recover()
    assert.equal(await storage.create('offsets/1', content), 'created')
  })

  test('says when permission is denied, the file system is read-only, or the disk fails', async () => {
    const answers = { EACCES: 'CHECKPOINT_DENIED', EROFS: 'CHECKPOINT_DENIED', EIO: 'CHECKPOINT_IO' } as const
    for (const [code, expected] of Object.entries(answers)) {
      const failing: readonly DiskCall[] = ['mkdir']
      const { storage, directory } = await under(async (call, carryOut) => {
        if (failing.includes(call)) throw systemError(code)
        return carryOut()
      })
      await assert.rejects(storage.create('metadata', content), named(expected, 'metadata', directory, code))
    }
  })

  test('copies a state file that lies on another disk', async () => {
    let crossed = false
    const { storage, healthy } = await under(async (call, carryOut, { file }) => {
      const isFirstTry = call === 'link' && file.endsWith('parquet') && !crossed
      if (!isFirstTry) return carryOut()
      crossed = true
      throw systemError('EXDEV')
    })
    const file = await storage.scratchFile()
    await writeFile(file, content)
    assert.equal(await storage.createFrom('state/agg/0.1.delta.parquet', file), 'created')
    assert.ok(crossed)
    assert.deepEqual(Buffer.from((await healthy.read('state/agg/0.1.delta.parquet')) ?? []), content)
  })

  test('refuses a location that is a file, and a folder that is one', async () => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'file'), 'x')
    const storage = new DiskStorage(join(directory, 'file'))
    const refused = named('CHECKPOINT_LOCATION', join(directory, 'file'))
    await assert.rejects(storage.read('metadata'), refused)
    await assert.rejects(storage.list(''), refused)
    await assert.rejects(storage.create('metadata', content), refused)
    await assert.rejects(new DiskStorage(directory).create('file/0', content), named('CHECKPOINT_LOCATION'))
  })

  test('names what stands in the place of a file, and does not hang on a pipe', async () => {
    const directory = await temporaryDirectory()
    const storage = new DiskStorage(directory)
    const refused = named('CHECKPOINT_CORRUPT', 'offsets/0', 'not a regular file')
    await mkdir(join(directory, 'offsets/0'), { recursive: true })
    await assert.rejects(storage.read('offsets/0'), refused)
    if (process.platform === 'win32') return
    execFileSync('mkfifo', [join(directory, 'offsets/1')])
    assert.deepEqual(await storage.list('offsets/'), ['offsets/1'])
    await assert.rejects(storage.read('offsets/1'), named('CHECKPOINT_CORRUPT', 'offsets/1'))
    await assert.rejects(storage.localFile('offsets/1'), named('CHECKPOINT_CORRUPT', 'offsets/1'))
    await symlink('nowhere', join(directory, 'offsets/2'))
    assert.equal(await storage.read('offsets/2'), undefined)
    await symlink('3', join(directory, 'offsets/3'))
    await assert.rejects(storage.read('offsets/3'), named('CHECKPOINT_IO', 'offsets/3'))
  })

  test('ends with a code where no directory can be made', {
    skip: !existsSync('/proc/sys') && 'needs /proc',
  }, async () => {
    const storage = new DiskStorage('/proc/sys/deep/er')
    await assert.rejects(storage.create('metadata', content), (error) => {
      return hasCode(error, 'CHECKPOINT_IO') || hasCode(error, 'CHECKPOINT_DENIED')
    })
  })

  test('touches nothing before it is asked to create', async () => {
    const directory = await temporaryDirectory()
    const storage = new DiskStorage(join(directory, 'checkpoint'))
    await storage.read('metadata')
    await storage.list('')
    await storage.remove('offsets/0')
    assert.deepEqual(await readdir(directory), [])
  })
})
