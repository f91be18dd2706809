import { hasCode, SluiceError } from '../errors.ts'

const RESTORE =
  "restore the file from a backup of the checkpoint, go back behind it ('sluice checkpoint verify' and 'rewind'), or start anew with another checkpointLocation"

/**
 * The error for a file that cannot be believed.
 *
 * @param reason goes on after the file's name: `is cut off`, `is missing although …`
 */
export function corrupt(location: string, path: string, reason: string, remedy = RESTORE): SluiceError {
  return new SluiceError('CHECKPOINT_CORRUPT', { location, path, reason, remedy })
}

/** The error when it tells of a file that cannot be believed; any other is thrown on. */
export function damageIn(error: unknown): SluiceError {
  if (hasCode(error, 'CHECKPOINT_CORRUPT') || hasCode(error, 'CHECKPOINT_VERSION')) return error
  throw error
}
