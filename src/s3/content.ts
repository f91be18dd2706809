import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { checksum } from '../checksum.ts'
import type { S3Owner } from './owner.ts'

/** What is put into the bucket, readable as often as it has to be sent. */
export interface S3Content {
  readonly bytes: number
  /** As S3 takes it, which refuses a content that does not have it: CRC-32, big-endian, in base64. */
  readonly crc32: string
  open(): Uint8Array | Readable
}

export function contentOfBytes(bytes: Uint8Array): S3Content {
  return { bytes: bytes.length, crc32: base64(checksum(bytes)), open: () => bytes }
}

/**
 * A local file, which is read twice: its checksum goes ahead of it, since stores other than AWS often do not know
 * the framing by which it could follow.
 *
 * @throws what a failing disk is to the owner
 */
export async function contentOfFile(owner: S3Owner, file: string): Promise<S3Content> {
  let bytes = 0
  let crc32 = checksum(new Uint8Array())
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      bytes += (chunk as Buffer).length
      crc32 = checksum(chunk as Buffer, crc32)
    }
  } catch (error) {
    throw owner.localFailure('read', file, error)
  }
  const last = Math.max(0, bytes - 1)
  return {
    bytes,
    crc32: base64(crc32),
    open: () => (bytes === 0 ? new Uint8Array() : createReadStream(file, { start: 0, end: last })),
  }
}

/** A local file that stays as it is, to be read in pieces. */
export interface LocalFile {
  readonly bytes: number
  read(start: number, bytes: number): Promise<Uint8Array>
}

/** @throws what a failing disk is to the owner */
export async function localFile(owner: S3Owner, file: string): Promise<LocalFile> {
  const failed = (error: unknown): never => {
    throw owner.localFailure('read', file, error)
  }
  const { size } = await stat(file).catch(failed)
  return {
    bytes: size,
    read: async (start, bytes) => {
      const handle = await open(file).catch(failed)
      try {
        const piece = new Uint8Array(bytes)
        const { bytesRead } = await handle.read(piece, 0, bytes, start)
        if (bytesRead === bytes) return piece
        return failed(new Error(`it ended after ${start + bytesRead} of ${size} bytes`))
      } finally {
        await handle.close()
      }
    },
  }
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}
