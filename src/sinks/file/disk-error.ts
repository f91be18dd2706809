import { codeOf, hasNoLinks } from '../../durable-file.ts'
import { reasonOf, SluiceError } from '../../errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS'])

/** DuckDB says what the operating system said in its words alone. */
const FULL_TEXT = /no space left|disk quota exceeded|file too large/i
const DENIED_TEXT = /permission denied|read-only file system|operation not permitted/i

/**
 * What stopped a file sink, as an error that tells the user where and what to do.
 *
 * @param batchId of the batch being written, if one was
 */
export function diskError(
  sink: string,
  operation: string,
  path: string,
  cause: unknown,
  batchId?: number,
): SluiceError {
  const isSql = cause instanceof SluiceError && cause.code.startsWith('SQL_')
  if (cause instanceof SluiceError && !isSql) return cause
  const code = codeOf(cause)
  const reason = isSql && 'reason' in cause.params ? String(cause.params.reason) : reasonOf(cause)
  const params = { sink, operation, path, reason }
  if (operation === 'link' && hasNoLinks(cause)) {
    const what = `its file system does not make hard links (${code})`
    return new SluiceError('SINK_PATH', { sink, path, reason: what, expected: DIRECTORY }, { cause })
  }
  if (FULL.has(code) || (isSql && FULL_TEXT.test(reason))) {
    return new SluiceError('SINK_FULL', params, { cause })
  }
  if (DENIED.has(code) || (isSql && DENIED_TEXT.test(reason))) {
    return new SluiceError('SINK_DENIED', params, { cause })
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    const what = 'a file stands where a directory is needed'
    return new SluiceError('SINK_PATH', { sink, path, reason: what, expected: DIRECTORY }, { cause })
  }
  // Not the disk but the rows: a value that the format cannot hold.
  if (isSql && batchId !== undefined)
    return new SluiceError('SINK_FAILED', { sink, batch: batchId, reason }, { cause })
  return new SluiceError('SINK_IO', params, { cause })
}

/** What a file sink takes as its path. */
export const DIRECTORY = 'a directory on a local or mounted disk, such as /data/clicks, or s3://bucket/clicks'

/** What it takes as a place in a bucket. */
export const BUCKET = 's3://bucket/prefix with a bucket that exists'
