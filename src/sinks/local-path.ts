import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reasonOf, SluiceError } from '../errors.ts'

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/**
 * The absolute path that an option names as a path or a `file://` URL.
 *
 * @param expected what to give instead, for the message
 * @throws SINK_PATH
 */
export function localPath(sink: string, path: string, expected: string): string {
  const refuse = (reason: string, cause?: unknown) =>
    new SluiceError('SINK_PATH', { path, sink, reason, expected }, { cause })
  const scheme = SCHEME.exec(path)?.[1]?.toLowerCase()
  if (scheme === undefined) return resolve(path)
  if (scheme !== 'file') throw refuse(`writing to ${scheme}:// is not supported`)
  try {
    return fileURLToPath(path)
  } catch (error) {
    throw refuse(reasonOf(error), error)
  }
}
