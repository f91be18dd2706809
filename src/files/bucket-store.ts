import type { Clock } from '../clock.ts'
import { S3Bucket } from '../s3/bucket.ts'
import { S3LocalFiles } from '../s3/local-files.ts'
import type { S3Location } from '../s3/location.ts'
import type { S3Settings } from '../s3/options.ts'
import type { S3Owner } from '../s3/owner.ts'
import { type FileStore, isHidden } from './store.ts'

/** Files below a prefix of a bucket. Makes no request before it is asked for something. */
export async function bucketStore(
  owner: S3Owner,
  place: S3Location,
  settings: S3Settings,
  clock: Clock,
): Promise<FileStore> {
  const bucket = await S3Bucket.open(owner, place, settings, clock)
  const copies = new S3LocalFiles(owner, place)
  const { prefix } = place
  return {
    list: async () => {
      const found = []
      for await (const { key, bytes, etag, modifiedMs } of bucket.objects(prefix)) {
        const path = key.slice(prefix.length)
        // Some tools put an empty object where a disk has a directory.
        if (!isHidden(path) && !path.endsWith('/')) found.push({ path, bytes, version: etag, modifiedMs })
      }
      return found
    },
    find: async (path) => {
      const head = await bucket.head(prefix + path)
      return head && { path, bytes: head.bytes, version: head.etag, modifiedMs: head.modifiedMs }
    },
    text: async (path) => {
      const content = await bucket.read(prefix + path)
      return content && Buffer.from(content).toString()
    },
    names: async (folder) => {
      const names: string[] = []
      const start = `${prefix}${folder}/`
      for await (const key of bucket.keys(start)) {
        const name = key.slice(start.length)
        if (!name.includes('/')) names.push(name)
      }
      return names
    },
    local: async (path) => {
      const file = await copies.next()
      const etag = await bucket.download(prefix + path, file, undefined)
      return etag === undefined ? undefined : file
    },
    release: (local) => copies.remove(local),
    close: async () => {
      bucket.close()
      await copies.close()
    },
  }
}
