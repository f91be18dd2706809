import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../clock.ts'
import { reasonOf, SluiceError } from '../errors.ts'
import { type GivenOptions, parseOptions } from '../options.ts'
import { isS3 } from '../s3/location.ts'
import { parseS3Options, s3Options } from '../s3/options.ts'
import { DiskStorage } from './disk-storage.ts'
import type { Storage } from './storage.ts'

const PREFIX = 'checkpoint.s3.'

/** Options of a checkpoint on S3. What is absent comes from the environment and the shared AWS files. */
export const S3_OPTIONS = s3Options(PREFIX)

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/**
 * The storage that a `checkpointLocation` names: a path or a `file://` URL is a local directory, `s3://bucket/prefix`
 * (also `s3a://`) a bucket. Touches nothing. Whoever opens a storage closes it.
 *
 * @param given the options of the query whose names begin with `checkpoint.`: see `S3_OPTIONS`; a directory has none
 * @throws CHECKPOINT_LOCATION, OPTION_UNKNOWN, OPTION_INVALID, OPTION_MISSING, OPTION_TWICE
 */
export async function openStorage(
  location: string,
  given: GivenOptions = new Map(),
  clock: Clock = systemClock,
): Promise<Storage> {
  const refuse = (reason: string, cause?: unknown) =>
    new SluiceError('CHECKPOINT_LOCATION', { location, reason }, { cause })
  if (location.trim() === '') throw refuse('it is empty')
  if (isS3(location)) {
    // Loaded on demand: the S3 client takes its time to load, and few programs need it.
    const { S3Storage } = await import('./s3-storage.ts')
    return S3Storage.open(location, parseS3Options('the checkpoint on S3', PREFIX, given), clock)
  }
  parseOptions('a checkpoint in a directory', {}, given)
  const scheme = SCHEME.exec(location)?.[1]?.toLowerCase()
  if (scheme === undefined) return new DiskStorage(location)
  if (scheme !== 'file') throw refuse(`there is no storage for ${scheme}://`)
  try {
    return new DiskStorage(fileURLToPath(location))
  } catch (error) {
    throw refuse(reasonOf(error), error)
  }
}

/** As `openStorage`, with options that were not given for this place alone: a directory needs none of them. */
export function openPlace(location: string, given: GivenOptions, clock: Clock): Promise<Storage> {
  return openStorage(location, isS3(location) ? given : undefined, clock)
}
