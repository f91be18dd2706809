import { hasCode, SluiceError } from './errors.ts'

/**
 * What a function of the user's has answered, which must be there when it returns.
 *
 * @throws VALUE_INVALID for a promise
 */
export function answerOf(value: unknown): unknown {
  if (typeof (value as { then?: unknown } | null | undefined)?.then !== 'function') return value
  // Nobody will look at it: a rejection must not end the process.
  Promise.resolve(value).catch(() => undefined)
  throw new SluiceError('VALUE_INVALID', { type: 'a value', found: 'a promise; rows are not waited for' })
}

/** Whether a function is declared `async`, or makes a generator where a value is due. */
export function isAsync(code: (...values: never[]) => unknown): boolean {
  return /^Async/.test(code.constructor.name)
}

/**
 * What an exception in the user's code becomes: its class and place, not its message, which may quote a record. The
 * exception itself is the cause.
 */
export function userCodeFailed(name: string, error: unknown): SluiceError<'UDF_FAILED'> {
  const reason = hasCode(error, 'VALUE_INVALID')
    ? `it answered ${error.params.found} where ${error.params.type} is due`
    : hasCode(error, 'GROUP_STATE')
      ? `${error.params.call} is refused: ${error.params.reason}`
      : `it threw ${classOf(error)}${placeOf(error)}`
  return new SluiceError('UDF_FAILED', { name, where: '', reason }, { cause: error })
}

function classOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : `a ${typeof error}`
}

/** The first line of a stack that names a place; the lines before it are the message. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const stack = (error.stack ?? '').replace(error.message, '')
  const place = /\n\s+at (?:[^\n]*\()?([^\n()]+:\d+:\d+)\)?/.exec(stack)?.[1]
  return place === undefined ? '' : ` at ${place}`
}
