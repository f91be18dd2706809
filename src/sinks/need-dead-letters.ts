import { SluiceError } from '../errors.ts'
import type { SinkContext } from './sink.ts'

/** @throws OPTION_MISSING when rows are to go to the dead letters of a query that has none */
export function needDeadLetters(sink: string, { refuse }: SinkContext): void {
  if (refuse) return
  const doc = `where refused rows go; refusedRows of the sink ${sink} is deadLetter`
  throw new SluiceError('OPTION_MISSING', { owner: 'the query', option: 'deadLetter.format', doc })
}
