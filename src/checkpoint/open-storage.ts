import { fileURLToPath } from 'node:url'
import { reasonOf, SluiceError } from '../errors.ts'
import { DiskStorage } from './disk-storage.ts'
import type { Storage } from './storage.ts'

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/**
 * The storage that a `checkpointLocation` names: a path or a `file://` URL is a local directory. Touches nothing.
 *
 * @throws CHECKPOINT_LOCATION
 */
export async function openStorage(location: string): Promise<Storage> {
  const refuse = (reason: string, cause?: unknown) =>
    new SluiceError('CHECKPOINT_LOCATION', { location, reason }, { cause })
  if (location.trim() === '') throw refuse('it is empty')
  const scheme = SCHEME.exec(location)?.[1]?.toLowerCase()
  if (scheme === undefined) return new DiskStorage(location)
  if (scheme === 's3' || scheme === 's3a') throw refuse('checkpoints on S3 are not supported yet')
  if (scheme !== 'file') throw refuse(`there is no storage for ${scheme}://`)
  try {
    return new DiskStorage(fileURLToPath(location))
  } catch (error) {
    throw refuse(reasonOf(error), error)
  }
}
