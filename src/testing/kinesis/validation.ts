import { refuse } from './service-error.ts'

/** Refuses an input without `member`, in the service's words. */
export function required<T>(value: T | undefined | null, member: string): T {
  if (value === undefined || value === null) {
    return refuse(
      'ValidationException',
      `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    )
  }
  return value
}

/** Refuses a number outside [`least`, `most`]; undefined passes. */
export function within(value: number | undefined, member: string, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  const rule = value < least ? `greater than or equal to ${least}` : `less than or equal to ${most}`
  violated(value, member, `Member must have value ${rule}`)
}

/** Refuses a text outside its pattern or length; undefined passes. */
export function matching(value: string | undefined, member: string, pattern: RegExp, longest: number): void {
  if (value === undefined) return
  if (value.length < 1) violated(value, member, 'Member must have length greater than or equal to 1')
  if (value.length > longest)
    violated(value, member, `Member must have length less than or equal to ${longest}`)
  if (!pattern.test(value)) {
    violated(value, member, `Member must satisfy regular expression pattern: ${pattern.source}`)
  }
}

export const NAME = /^[a-zA-Z0-9_.-]+$/
export const ANY = /^[\s\S]*$/
export const HASH_KEY = /^(0|[1-9]\d{0,38})$/
export const SEQUENCE_NUMBER = /^(0|[1-9]\d{0,128})$/

export function violated(value: string | number, member: string, rule: string): never {
  return refuse(
    'ValidationException',
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${rule}`,
  )
}
