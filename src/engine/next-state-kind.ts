import type { StateFile, StateKind } from '../checkpoint/state-file.ts'

/**
 * Whether an operator's next file is a snapshot or a delta.
 *
 * A snapshot comes once the deltas since the last one outweigh it, or are as many as allowed. By weight, because
 * then a restart reads at most about twice the state, and what snapshots write stays in proportion to what
 * deltas write, however big the state is; by number, because every file costs a restart a request, and every commit a line.
 *
 * @param files of this operator's state now, in loading order
 */
export function nextStateKind(files: readonly StateFile[], maxDeltas: number): StateKind {
  const [base, ...deltas] = files
  if (base?.kind !== 'snapshot' || deltas.length >= maxDeltas) return 'snapshot'
  const weight = deltas.reduce((sum, { bytes }) => sum + bytes, 0)
  return weight > base.bytes ? 'snapshot' : 'delta'
}
