import { join } from 'node:path'
import { after, before } from 'node:test'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { openStorage } from '../../src/checkpoint/open-storage.ts'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { S3Double } from '../../src/testing/s3/double.ts'
import { temporaryDirectory } from '../checkpoint/temporary-directory.ts'
import { storageConformance } from './storage.ts'

storageConformance('on disk', {
  location: async () => join(await temporaryDirectory(), 'checkpoint'),
  open: async (location) => new DiskStorage(location),
})

// Small pages, so that listings take more than one.
const s3 = new S3Double({ pageSize: 2 })
const opened: Storage[] = []
let locations = 0

before(async () => {
  s3.createBucket('bucket')
  const { endpointUrl } = await s3.listen()
  // By the environment, which the processes of the race inherit.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: endpointUrl,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'anybody',
    AWS_SECRET_ACCESS_KEY: 'anything',
  })
})

after(async () => {
  for (const storage of opened) await storage.close()
  await s3.close()
})

storageConformance('on S3', {
  location: async () => `s3://bucket/checkpoints/${locations++} mit Leerzeichen & Ümläut+`,
  open: async (location) => {
    const storage = await openStorage(location)
    opened.push(storage)
    return storage
  },
})
