import { SluiceError } from '../../errors.ts'

/** The error of whoever has tried for long enough. */
export function gaveUp(where: string, seconds: number, last: SluiceError): SluiceError {
  // What to do about the last failure is said by its own message, which goes along as the cause.
  const [reason = ''] = last.message.split('. To fix:')
  return new SluiceError('KINESIS_RETRIES_EXHAUSTED', { where, seconds, reason }, { cause: last })
}
