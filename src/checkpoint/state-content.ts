import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { checksum } from '../checksum.ts'
import { reasonOf } from '../errors.ts'
import { corrupt } from './corrupt.ts'
import { diskError } from './disk-error.ts'
import type { StateFile } from './state-file.ts'
import type { Storage } from './storage.ts'

export interface Measure {
  readonly bytes: number
  readonly crc32: string
}

/** @param location for messages */
export async function measure(location: string, file: string): Promise<Measure> {
  try {
    const { size } = await stat(file)
    let crc32 = checksum(new Uint8Array())
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      crc32 = checksum(chunk as Buffer, crc32)
    }
    return { bytes: size, crc32 }
  } catch (error) {
    throw diskError('read', location, `state file (${reasonOf(error)})`, error)
  }
}

/**
 * The path of a local file that holds what a commit says a state file holds. It must not be changed.
 *
 * @throws CHECKPOINT_CORRUPT for a missing or changed file
 */
export async function checkedStateFile(storage: Storage, { path, bytes, crc32 }: StateFile): Promise<string> {
  const damaged = (reason: string) => corrupt(storage.location, path, reason)
  const file = await storage.localFile(path)
  if (file === undefined) throw damaged('is missing although a commit names it')
  const found = await measure(storage.location, file)
  if (found.bytes !== bytes) throw damaged(`holds ${found.bytes} bytes where its commit says ${bytes}`)
  if (found.crc32 !== crc32) throw damaged(`has checksum ${found.crc32} where its commit says ${crc32}`)
  return file
}
