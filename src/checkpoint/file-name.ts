import { SluiceError } from '../errors.ts'

const NAME = /^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/

/** Holds a name against the rules of the storage contract. @throws CHECKPOINT_MISUSE */
export function checkFileName(location: string, path: string): void {
  if (NAME.test(path)) return
  const reason = `'${path}' is no name of a checkpoint file`
  throw new SluiceError('CHECKPOINT_MISUSE', { location, reason })
}
