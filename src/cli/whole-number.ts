import { SluiceError } from '../errors.ts'

/**
 * Reads an argument that is a whole number from `min` to `max`.
 *
 * @throws CLI_USAGE
 */
export function wholeNumber(
  command: string,
  argument: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): (given: unknown) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `, ${min} or more` : ` from ${min} to ${max}`
  return (given) => {
    const value = /^\d+$/.test(String(given)) ? Number(given) : Number.NaN
    if (value >= min && value <= max) return value
    const reason = `${argument} is '${String(given)}'; it takes a whole number${range}`
    throw new SluiceError('CLI_USAGE', { reason, command })
  }
}
