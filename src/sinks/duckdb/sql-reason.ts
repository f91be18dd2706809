import { reasonOf, SluiceError } from '../../errors.ts'

/** What DuckDB said, without our own advice about queries. */
export function sqlReason(error: unknown): string {
  if (error instanceof SluiceError && 'reason' in error.params) return String(error.params.reason)
  return reasonOf(error)
}
