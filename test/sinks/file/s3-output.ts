import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { S3Double, type S3DoubleOptions } from '../../../src/testing/s3/double.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

export const BUCKET = 'bucket'

/** A place in a bucket for the output of one sink. */
export interface S3Place {
  readonly path: string
  /** Before every key of the output. */
  readonly prefix: string
  readonly options: Readonly<Record<string, string | number>>
  /** Paths of the data files that a listing shows. */
  files(): readonly string[]
  /** Names in the ledger. */
  entries(): readonly string[]
  /** Copies the data files that a listing shows, as a reader who knows no ledger, and gives the directory. */
  download(): string
}

/** A double of S3, and places in it. */
export async function s3Output(options: S3DoubleOptions = {}) {
  const double = new S3Double(options)
  double.createBucket(BUCKET)
  const { endpointUrl } = await double.listen()
  after(() => double.close())
  let count = 0
  const next = (): S3Place => {
    const prefix = `out ${count++}/ü/`
    const path = `s3://${BUCKET}/${prefix}`
    const below = () => double.keys(BUCKET, prefix).map((key) => key.slice(prefix.length))
    const files = () => below().filter((name) => !name.startsWith('_sluice/'))
    return {
      path,
      prefix,
      options: {
        path,
        's3.endpointUrl': endpointUrl,
        's3.region': 'eu-west-1',
        's3.awsAccessKeyId': 'anybody',
        's3.awsSecretKey': 'not-to-be-shown',
        's3.maxRetryTime': '3s',
      },
      files,
      entries: () =>
        below()
          .filter((name) => name.startsWith('_sluice/'))
          .map((name) => name.slice('_sluice/'.length)),
      download: () => {
        const directory = temporaryDirectory()
        for (const name of files()) {
          mkdirSync(dirname(join(directory, name)), { recursive: true })
          writeFileSync(join(directory, name), double.object(BUCKET, prefix + name)?.content ?? '')
        }
        return directory
      },
    }
  }
  return { double, next }
}
