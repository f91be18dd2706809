import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { BUCKET, coded, LOCATION, PREFIX, s3Scene } from './s3-scene.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('local copies', () => {
  test('are made once, made again when the object is another, and go with it', async () => {
    const { proven, requests, double } = await s3Scene()
    const storage = await proven()
    await storage.create('state/a/0.1.delta.parquet', bytes('first'))
    const file = (await storage.localFile('state/a/0.1.delta.parquet')) ?? ''
    assert.equal(await storage.localFile('state/a/0.1.delta.parquet'), file)
    assert.deepEqual(
      double.calls.filter((call) => call.operation === 'GetObject').map((call) => call.outcome),
      ['ok', 'NotModified'],
    )
    double.put(BUCKET, `${PREFIX}state/a/0.1.delta.parquet`, 'second')
    const other = (await storage.localFile('state/a/0.1.delta.parquet')) ?? ''
    assert.equal(await readFile(other, 'utf8'), 'second')
    await assert.rejects(stat(file), { code: 'ENOENT' })
    await storage.remove('state/a/0.1.delta.parquet')
    await assert.rejects(stat(other), { code: 'ENOENT' })
    assert.equal(await storage.localFile('state/a/0.1.delta.parquet'), undefined)
    assert.equal(requests('DeleteObject', 'state/a/0.1.delta.parquet'), 1)
  })

  test('are gone when the storage is closed', async () => {
    const { proven } = await s3Scene()
    const storage = await proven()
    await storage.create('offsets/0', bytes('x'))
    const files = [(await storage.localFile('offsets/0')) ?? '', await storage.scratchFile()]
    await writeFile(files[1] ?? '', 'on its way')
    await storage.close()
    for (const file of files) await assert.rejects(stat(file), { code: 'ENOENT' })
  })

  test('a state file that cannot be read names the file', async () => {
    const { proven } = await s3Scene()
    const storage = await proven()
    const file = await storage.scratchFile()
    await assert.rejects(
      storage.createFrom('state/a/0.1.delta.parquet', file),
      coded('CHECKPOINT_IO', file, LOCATION, 'ENOENT'),
    )
  })

  test('a state file that vanishes between two attempts is told by its name, and not sent on', async () => {
    const { proven, double, requests } = await s3Scene()
    const storage = await proven()
    const file = await storage.scratchFile()
    await writeFile(file, 'state')
    double.fault({ operation: 'PutObject', action: { kind: 'error', code: 'SlowDown' }, times: 1 })
    double.fault({
      operation: 'PutObject',
      action: { kind: 'meanwhile', applied: true, run: () => unlink(file) },
    })
    await assert.rejects(
      storage.createFrom('state/a/0.1.delta.parquet', file),
      coded('CHECKPOINT_IO', 'ENOENT'),
    )
    assert.equal(requests('PutObject', 'state/a/0.1.delta.parquet'), 1)
  })

  test('a copy that cannot be written is an error of the disk, whatever becomes of its body', async () => {
    const { proven, double } = await s3Scene()
    const storage = await proven()
    await storage.create('offsets/0', bytes('content '.repeat(100_000)))
    await rm(dirname(await storage.scratchFile()), { recursive: true })
    double.fault({ operation: 'GetObject', action: { kind: 'truncate', keep: 100 }, times: 1 })
    await assert.rejects(storage.localFile('offsets/0'), coded('CHECKPOINT_IO', 'ENOENT', LOCATION))
  })

  test('a state file is streamed with its checksum ahead of it', async () => {
    const { proven, double } = await s3Scene()
    const storage = await proven()
    const file = await storage.scratchFile()
    await writeFile(file, Buffer.alloc(3_000_000, 'state'))
    assert.equal(await storage.createFrom('state/a/0.1.delta.parquet', file), 'created')
    const stored = double.object(BUCKET, `${PREFIX}state/a/0.1.delta.parquet`)
    assert.equal(stored?.content.length, 3_000_000)
    assert.deepEqual(Object.keys(stored.checksums), ['x-amz-checksum-crc32'])
    // No framing was around it.
    assert.equal(double.calls[0]?.bytesIn, 3_000_000)
  })
})

describe('local files of a checkpoint on S3', () => {
  test('of a process that is gone are swept, those of one that lives are not', async () => {
    const { open } = await s3Scene()
    // A place of its own, for what is looked at is the whole of the temporary directory.
    const before = process.env['TMPDIR']
    const temporary = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    process.env['TMPDIR'] = temporary
    try {
      const [mine, other] = [await open(), await open()]
      const scratch = await mine.scratchFile()
      await writeFile(scratch, 'on its way')
      const family = basename(dirname(scratch)).split(`-${process.pid}-`)[0] ?? ''
      const dead = join(temporary, `${family}-${2 ** 22 + 1}-abc`)
      const stranger = join(temporary, `sluice-s3-0123456789abcdef-${2 ** 22 + 1}-abc`)
      for (const directory of [dead, stranger]) await mkdir(directory)
      await other.recover()
      await assert.rejects(stat(dead), { code: 'ENOENT' })
      await stat(stranger)
      await stat(scratch)
      await mine.close()
      await assert.rejects(stat(scratch), { code: 'ENOENT' })
    } finally {
      if (before === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = before
      await rm(temporary, { recursive: true, force: true })
    }
  })
})
