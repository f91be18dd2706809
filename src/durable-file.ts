import { constants } from 'node:fs'
import * as nodeFiles from 'node:fs/promises'
import { dirname } from 'node:path'
import { checksum } from './checksum.ts'
import { failpointsOn, hit } from './failpoints.ts'

/** The calls that whoever keeps something on disk makes, so that a test can stop or fail each of them. */
export type DiskCalls = Pick<
  typeof nodeFiles,
  | 'open'
  | 'link'
  | 'rename'
  | 'unlink'
  | 'mkdir'
  | 'mkdtemp'
  | 'readdir'
  | 'readFile'
  | 'rm'
  | 'copyFile'
  | 'stat'
>

export const diskCalls: DiskCalls = nodeFiles

const PIECE_BYTES = 1024 * 1024

/** Writes a new file and does not return before the disk has it. */
export async function writeDurably(calls: DiskCalls, file: string, bytes: Uint8Array): Promise<void> {
  const handle = await calls.open(file, 'wx')
  hit('file.opened')
  // In two parts only where a test looks between them.
  const part = failpointsOn ? Math.ceil(bytes.length / 2) : bytes.length
  try {
    // A nearly full disk takes a part and reports no error: only the next call throws ENOSPC.
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, written, Math.min(part, bytes.length - written))
      written += bytesWritten
      hit('file.part-written')
    }
    // A failed fsync is never repeated on the same handle: the kernel may have dropped the pages already.
    await handle.sync()
    hit('file.synced')
  } finally {
    await handle.close()
  }
}

/** Makes the content of a file that somebody else wrote durable. */
export async function syncFile(calls: DiskCalls, file: string): Promise<void> {
  // Windows flushes through writable handles only.
  const handle = await calls.open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a file that somebody else wrote durable, and answers what it holds: its size and its CRC-32 in hex. */
export async function sealFile(calls: DiskCalls, file: string): Promise<{ bytes: number; crc32: string }> {
  // Windows flushes through writable handles only.
  const handle = await calls.open(file, 'r+')
  try {
    await handle.sync()
    const piece = new Uint8Array(PIECE_BYTES)
    let bytes = 0
    let crc32 = checksum(new Uint8Array())
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, bytes)
      if (bytesRead === 0) break
      crc32 = checksum(piece.subarray(0, bytesRead), crc32)
      bytes += bytesRead
    }
    return { bytes, crc32 }
  } finally {
    await handle.close()
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(calls: DiskCalls, directory: string): Promise<void> {
  // Windows has no handle for a directory; NTFS journals names by itself.
  if (process.platform === 'win32') return
  const handle = await calls.open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    // Some network and FUSE file systems know no fsync for directories and keep names durable themselves.
    if (codeOf(error) !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

/**
 * Creates a directory and its missing parents, each name durable before the next one is made in it.
 *
 * Step by step, because Node's recursive mkdir never returns where the kernel makes no directories (`/proc`).
 */
export async function makeDirectory(calls: DiskCalls, directory: string): Promise<void> {
  const parent = dirname(directory)
  const made = await calls.mkdir(directory).then(
    () => true,
    (error: unknown) => {
      // macOS answers EISDIR for the root.
      if (codeOf(error) === 'EEXIST' || codeOf(error) === 'EISDIR') return false
      if (codeOf(error) === 'ENOENT' && parent !== directory) return undefined
      throw error
    },
  )
  if (made === undefined) {
    await makeDirectory(calls, parent)
    await calls.mkdir(directory).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }
  if (made !== false) await syncDirectory(calls, parent)
}

/** The content of a regular file, undefined when there is none, or what stands there instead. */
export async function readRegular(
  calls: DiskCalls,
  file: string,
): Promise<Uint8Array | undefined | 'not a regular file'> {
  // Without O_NONBLOCK, opening a FIFO waits for a writer for ever.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const handle = await calls.open(file, flags).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    if (!(await handle.stat()).isFile()) return 'not a regular file'
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

/** `ENOENT` and its like; empty when the error is none of the operating system. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** For a `catch`: what is not there is undefined, any other failure stays one. */
export function absent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** Whether a `link` failed because its file system makes no hard links. */
export function hasNoLinks(error: unknown): boolean {
  return NO_LINKS.has(codeOf(error))
}
