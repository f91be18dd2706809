import { codeOf } from '../durable-file.ts'
import { reasonOf, SluiceError } from '../errors.ts'

export type DiskOperation = 'create' | 'read' | 'list' | 'remove' | 'recover' | 'open'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS'])

/** What the operating system said, as an error that tells the user where and what to do. */
export function diskError(
  operation: DiskOperation,
  location: string,
  path: string,
  cause: unknown,
): SluiceError {
  if (cause instanceof SluiceError) return cause
  const code = codeOf(cause) || codeInWords(reasonOf(cause)) || ''
  const params = { operation, location, path: path === '' ? 'the directory' : path, reason: reasonOf(cause) }
  if (FULL.has(code)) return new SluiceError('CHECKPOINT_FULL', params, { cause })
  if (DENIED.has(code)) return new SluiceError('CHECKPOINT_DENIED', params, { cause })
  return new SluiceError('CHECKPOINT_IO', params, { cause })
}

const WORDS: readonly (readonly [words: RegExp, code: string])[] = [
  [/No space left on device/i, 'ENOSPC'],
  [/Disk quota exceeded/i, 'EDQUOT'],
  [/File too large/i, 'EFBIG'],
  [/Permission denied/i, 'EACCES'],
  [/Read-only file system/i, 'EROFS'],
  [/Input\/output error/i, 'EIO'],
]

/** The operating system's code, from a message that tells it in words as DuckDB does; undefined when it tells none. */
export function codeInWords(message: string): string | undefined {
  return WORDS.find(([words]) => words.test(message))?.[1]
}
