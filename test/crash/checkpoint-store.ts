import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { OptionValue } from '../../src/options.ts'
import type { S3Double } from '../../src/testing/s3/double.ts'

export const STORES = ['disk', 's3'] as const
export type StoreName = (typeof STORES)[number]

/** The checkpoint of one trial, as its test sees it from outside. */
export interface CheckpointPlace {
  readonly location: string
  /** What a query needs to get there. */
  readonly options: Readonly<Record<string, OptionValue>>
  /** Of all files of the checkpoint, but for those on their way in. */
  names(): readonly string[]
  has(name: string): boolean
  copyTo(other: CheckpointPlace): void
  remove(): void
}

/** Makes places: one for each directory of a trial. */
export type CheckpointStore = (directory: string) => CheckpointPlace

export const onDisk: CheckpointStore = (directory) => {
  const location = join(directory, 'checkpoint')
  return {
    location,
    options: {},
    names: () =>
      readdirSync(location, { recursive: true, encoding: 'utf8', withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(location.length + 1))
        .filter((name) => !name.startsWith('.')),
    has: (name) => existsSync(join(location, name)),
    copyTo: (other) => cpSync(location, other.location, { recursive: true }),
    remove: () => rmSync(location, { recursive: true, force: true }),
  }
}

const BUCKET = 'checkpoints'

/** All trials in one bucket, under prefixes of their own. */
export function onS3(double: S3Double, endpointUrl: string): CheckpointStore {
  double.createBucket(BUCKET)
  return (directory) => {
    const location = `s3://${BUCKET}/${basename(directory)}`
    const prefix = prefixOf(location)
    return {
      location,
      options: {
        'checkpoint.s3.endpointUrl': endpointUrl,
        'checkpoint.s3.pathStyle': true,
        'checkpoint.s3.region': 'us-east-1',
        'checkpoint.s3.awsAccessKeyId': 'anybody',
        'checkpoint.s3.awsSecretKey': 'anything',
      },
      names: () =>
        double
          .keys(BUCKET, prefix)
          .map((key) => key.slice(prefix.length))
          .filter((name) => !name.startsWith('.')),
      has: (name) => double.object(BUCKET, prefix + name) !== undefined,
      copyTo: (other) => {
        for (const key of double.keys(BUCKET, prefix)) {
          const { content } = double.object(BUCKET, key)!
          double.put(BUCKET, prefixOf(other.location) + key.slice(prefix.length), content)
        }
      },
      remove: () => {
        for (const key of double.keys(BUCKET, prefix)) double.remove(BUCKET, key)
      },
    }
  }
}

function prefixOf(location: string): string {
  return `${location.slice(`s3://${BUCKET}/`.length)}/`
}
