import { batchIds, refuseLostTail, stateNames } from './batch-log.ts'
import { byHand, type HandTools } from './by-hand.ts'
import { COMMITS } from './commits.ts'
import { seeEpochs } from './epochs.ts'
import { AGAIN, OFFSETS } from './offsets.ts'
import type { Storage } from './storage.ts'
import type { Tenure } from './tenure.ts'

/** What a repair does. */
export interface Dropped {
  /** The last committed batch, -1 for none. */
  readonly last: number
  /** Batches without a commit whose meaning is given up, ascending. */
  readonly dropped: readonly number[]
}

/**
 * Gives up what was logged after the last commit, readable or not: the batch that a crash left, and those that a
 * rewind has taken back. Their numbers are given to other rows; a sink that holds a part of them may then lack rows
 * or have them twice.
 *
 * @returns undefined when there is nothing after the last commit
 * @throws CHECKPOINT_ABSENT, CHECKPOINT_IN_USE, CHECKPOINT_CORRUPT
 */
export function dropUncommitted(storage: Storage, tools: HandTools): Promise<Dropped | undefined> {
  return byHand<Dropped>(storage, tools, {
    plan: (queryId) => plan(storage, queryId),
    carryOut: (work, tenure) => carryOut(storage, work, tenure),
  })
}

async function plan(storage: Storage, queryId: string): Promise<Dropped | undefined> {
  const last = (await batchIds(storage, COMMITS)).at(-1) ?? -1
  await refuseLostTail(storage, queryId, await seeEpochs(storage), last)
  const after = [...(await batchIds(storage, OFFSETS)), ...(await batchIds(storage, AGAIN))]
  const dropped = [...new Set(after)].filter((batchId) => batchId > last).sort((a, b) => a - b)
  return dropped.length === 0 ? undefined : { last, dropped }
}

async function carryOut(storage: Storage, { last, dropped }: Dropped, tenure: Tenure): Promise<void> {
  for (const batchId of dropped.toReversed()) {
    await tenure.assertHeld()
    await storage.remove(`${AGAIN}${batchId}`)
    for (const file of await stateNames(storage)) {
      if (file.batchId === batchId && batchId > last) await storage.remove(file.path)
    }
    await storage.recover()
    await storage.remove(`${OFFSETS}${batchId}`)
    await storage.recover()
  }
}
