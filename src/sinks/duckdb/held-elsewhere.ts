import { sqlReason } from './sql-reason.ts'

/** What DuckDB says when another process, or another database name of this one, has the file. */
const HELD = /could not set lock|conflicting lock|unique file handle conflict/i

/** Whether a file could not be attached because somebody else has it, so that waiting may help. */
export function isHeldElsewhere(refusal: unknown): boolean {
  return HELD.test(sqlReason(refusal))
}
