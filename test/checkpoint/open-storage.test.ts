import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openStorage } from '../../src/checkpoint/open-storage.ts'
import { S3Storage } from '../../src/checkpoint/s3-storage.ts'
import { hasCode } from '../../src/errors.ts'
import { temporaryDirectory } from './temporary-directory.ts'

test('a path and its file URL name the same directory', async () => {
  const directory = join(await temporaryDirectory(), 'with space')
  const [byPath, byUrl] = [await openStorage(directory), await openStorage(pathToFileURL(directory).href)]
  await byPath.create('metadata', new Uint8Array(3))
  assert.equal((await byUrl.read('metadata'))?.length, 3)
})

test('a bucket is named by s3:// and s3a://, and nothing is asked of it', async () => {
  for (const location of ['s3://bucket/clicks', 's3a://bucket', 'S3://bucket/a b']) {
    const storage = await openStorage(location)
    assert.ok(storage instanceof S3Storage)
    assert.equal(storage.location, location)
    await storage.close()
  }
})

test('a location that no storage serves is refused with its reason', async () => {
  const refusals = {
    '': /it is empty/,
    '  ': /it is empty/,
    's3://': /no name of a bucket/,
    's3a://bucket//clicks': /folder named ''/,
    'hdfs://host/clicks': /no storage for hdfs:/,
    'file://otherhost/clicks': process.platform === 'win32' ? /./ : /host/,
  }
  for (const [location, reason] of Object.entries(refusals)) {
    if (process.platform === 'win32' && location.startsWith('file:')) continue
    await assert.rejects(
      openStorage(location),
      (error) => hasCode(error, 'CHECKPOINT_LOCATION') && reason.test(error.message),
      location,
    )
  }
})
