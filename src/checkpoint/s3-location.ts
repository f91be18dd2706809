import { SluiceError } from '../errors.ts'

export interface S3Location {
  readonly bucket: string
  /** Before every key; empty, or ends in `/`. */
  readonly prefix: string
}

const LOCATION = /^s3a?:\/\/([^/]*)(?:\/(.*))?$/is
const BUCKET = /^[A-Za-z0-9][\w.-]{1,254}$/

/**
 * Bucket and prefix of `s3://bucket/prefix` or `s3a://bucket/prefix`. The prefix is taken as it is written, without
 * decoding; a slash at its end makes no difference.
 *
 * @throws CHECKPOINT_LOCATION
 */
export function parseS3Location(location: string): S3Location {
  const refuse = (reason: string) =>
    new SluiceError('CHECKPOINT_LOCATION', { location: location.replace(/\/\/[^/]*@/, '//***@'), reason })
  const [, bucket = '', rest = ''] = LOCATION.exec(location) ?? []
  if (bucket.includes('@')) throw refuse('credentials are given as options or by the environment')
  if (!BUCKET.test(bucket)) throw refuse(`'${bucket}' is no name of a bucket`)
  const path = rest.replace(/\/$/, '')
  if (path === '') return { bucket, prefix: '' }
  for (const folder of path.split('/')) {
    // Clients and proxies fold such names away, each in its own way.
    if (folder === '' || folder === '.' || folder === '..') throw refuse(`it has a folder named '${folder}'`)
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) throw refuse('it has control characters')
  return { bucket, prefix: `${path}/` }
}
