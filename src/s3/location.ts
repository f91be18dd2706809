import type { SluiceError } from '../errors.ts'

export interface S3Location {
  readonly bucket: string
  /** Before every key; empty, or ends in `/`. */
  readonly prefix: string
}

const LOCATION = /^s3a?:\/\/([^/]*)(?:\/(.*))?$/is
const BUCKET = /^[A-Za-z0-9][\w.-]{1,254}$/

/** Whether a path names a place in a bucket: `s3://…` or `s3a://…`. */
export function isS3(path: string): boolean {
  return /^s3a?:\/\//i.test(path)
}

/**
 * Bucket and prefix of `s3://bucket/prefix` or `s3a://bucket/prefix`. The prefix is taken as it is written, without
 * decoding; a slash at its end makes no difference.
 *
 * @param refuse makes the error to be thrown for what is none; it is given the location without any secrets
 */
export function parseS3Location(
  location: string,
  refuse: (reason: string, location: string) => SluiceError,
): S3Location {
  const refused = (reason: string) => refuse(reason, location.replace(/\/\/[^/]*@/, '//***@'))
  const [, bucket = '', rest = ''] = LOCATION.exec(location) ?? []
  if (bucket.includes('@')) throw refused('credentials are given as options or by the environment')
  if (!BUCKET.test(bucket)) throw refused(`'${bucket}' is no name of a bucket`)
  const path = rest.replace(/\/$/, '')
  if (path === '') return { bucket, prefix: '' }
  for (const folder of path.split('/')) {
    // Clients and proxies fold such names away, each in its own way.
    if (folder === '' || folder === '.' || folder === '..') throw refused(`it has a folder named '${folder}'`)
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) throw refused('it has control characters')
  return { bucket, prefix: `${path}/` }
}
