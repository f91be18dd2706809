import { SluiceError } from '../errors.ts'

const RESTORE =
  'restore the file from a backup of the checkpoint, or start anew with another checkpointLocation'

/**
 * The error for a file that cannot be believed.
 *
 * @param reason goes on after the file's name: `is cut off`, `is missing although …`
 */
export function corrupt(location: string, path: string, reason: string, remedy = RESTORE): SluiceError {
  return new SluiceError('CHECKPOINT_CORRUPT', { location, path, reason, remedy })
}
