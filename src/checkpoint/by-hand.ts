import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { stateNames } from './batch-log.ts'
import { HEARTBEAT_MS } from './epochs.ts'
import type { ProcessTable } from './holder.ts'
import { processTable } from './process-table.ts'
import type { Storage } from './storage.ts'
import { existingIdentity } from './stored-query.ts'
import { Tenure } from './tenure.ts'
import { untilUnheld } from './waiting.ts'

/** Work on a checkpoint in the place of its query. */
export interface HandWork<P extends { readonly last: number }> {
  /**
   * What there is to do, with the last committed batch once it is done; undefined for nothing. Writes nothing. Asked
   * before the checkpoint is taken, so that a refusal leaves it as it was, and again when nobody else writes it.
   */
  plan(queryId: string): Promise<P | undefined>
  carryOut(plan: P, tenure: Tenure): Promise<void>
}

export interface HandTools {
  readonly clock: Clock
  readonly log: Logger
  /** The processes of this machine; replaced in tests. */
  readonly processes?: ProcessTable
}

/**
 * Takes an epoch as the start of a query does, does the work, and gives the epoch back.
 *
 * @returns what was done; undefined when there was nothing to do, and then nothing was written
 * @throws CHECKPOINT_ABSENT, CHECKPOINT_IN_USE, CHECKPOINT_FENCED, and what `plan` throws
 */
export async function byHand<P extends { readonly last: number }>(
  storage: Storage,
  { clock, log, processes = processTable }: HandTools,
  work: HandWork<P>,
): Promise<P | undefined> {
  const { queryId } = await existingIdentity(storage)
  const seen = await untilUnheld({ storage, queryId, clock, log, processes })
  const before = await work.plan(queryId)
  if (!before) return undefined
  const highest = (await stateNames(storage)).reduce((most, { epoch }) => Math.max(most, epoch), 0)
  const options = { storage, queryId, clock, log, processes, heartbeatMs: HEARTBEAT_MS }
  const tenure = await Tenure.take(options, seen, highest, before.last)
  try {
    await storage.recover()
    await tenure.begin()
    const plan = await work.plan(queryId)
    if (plan) await work.carryOut(plan, tenure)
    return plan
  } finally {
    await tenure.end(before.last)
  }
}
