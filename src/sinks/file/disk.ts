import { constants } from 'node:fs'
import * as nodeFiles from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

/** The calls that the file sinks make beside DuckDB's own, so that a test can stop or fail each of them. */
export type DiskCalls = Pick<
  typeof nodeFiles,
  'open' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'readFile' | 'rm' | 'stat'
>

export const diskCalls: DiskCalls = nodeFiles

const PIECE_BYTES = 1024 * 1024

/** Writes a new file and does not return before the disk has it. */
export async function writeDurably(calls: DiskCalls, file: string, text: string): Promise<void> {
  const handle = await calls.open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a file that somebody else wrote durable, and answers what it holds: its size and its CRC-32 in hex. */
export async function sealFile(calls: DiskCalls, file: string): Promise<{ bytes: number; crc32: string }> {
  // Some systems flush through writable handles only.
  const handle = await calls.open(file, 'r+')
  try {
    await handle.sync()
    const piece = new Uint8Array(PIECE_BYTES)
    let bytes = 0
    let sum = 0
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, bytes)
      if (bytesRead === 0) break
      sum = crc32(piece.subarray(0, bytesRead), sum)
      bytes += bytesRead
    }
    return { bytes, crc32: sum.toString(16).padStart(8, '0') }
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
    if (systemCode(error) !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

/** Creates a directory and its missing parents, each name durable. */
export async function makeDirectory(calls: DiskCalls, directory: string): Promise<void> {
  const first = await calls.mkdir(directory, { recursive: true })
  if (first === undefined) return
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(calls, dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

/** `ENOENT` and its like; empty when the error is none of the operating system. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** For a `catch`: what is not there is undefined, any other failure stays one. */
export function absent(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined
  throw error
}
