import { SluiceError } from '../errors.ts'
import { batchIds, refuseLostTail, stateNames } from './batch-log.ts'
import { byHand, type HandTools } from './by-hand.ts'
import { COMMITS, readCommit } from './commits.ts'
import { corrupt } from './corrupt.ts'
import { seeEpochs } from './epochs.ts'
import { AGAIN, OFFSETS, readIntent } from './offsets.ts'
import { checkedStateFile } from './state-content.ts'
import type { Storage } from './storage.ts'
import type { Tenure } from './tenure.ts'

/** What a rewind does. */
export interface Rewind {
  /** The batch that is the last one afterwards. */
  readonly last: number
  /** Those that come again as they were, ascending. */
  readonly takenBack: readonly number[]
}

/**
 * Makes `batchId` the last committed batch. The batches after it are run again by the next starts, under their
 * numbers and with their rows. A rewind that was interrupted is sound, and can be done again.
 *
 * @returns undefined when that batch is the last one already
 * @throws CHECKPOINT_BATCH_UNKNOWN when it is not among the committed ones, CHECKPOINT_CORRUPT when it or what is
 *   needed to run the others again is damaged, CHECKPOINT_ABSENT, CHECKPOINT_IN_USE
 */
export function rewind(storage: Storage, batchId: number, tools: HandTools): Promise<Rewind | undefined> {
  return byHand<Rewind>(storage, tools, {
    plan: (queryId) => plan(storage, queryId, batchId),
    carryOut: (work, tenure) => carryOut(storage, work, tenure),
  })
}

async function plan(storage: Storage, queryId: string, batchId: number): Promise<Rewind | undefined> {
  const commits = await batchIds(storage, COMMITS)
  const last = commits.at(-1) ?? -1
  const commit = commits.includes(batchId) ? await readCommit(storage, batchId, queryId) : undefined
  if (!commit) throw batchUnknown(storage.location, batchId, commits)
  await refuseLostTail(storage, queryId, await seeEpochs(storage), last)
  if (batchId === last) return undefined
  await soundIntent(storage, queryId, batchId)
  for (const file of commit.stateFiles) await checkedStateFile(storage, file)
  const newest = (await batchIds(storage, OFFSETS)).at(-1) ?? -1
  const takenBack: number[] = []
  for (let next = batchId + 1; next <= Math.max(last, newest); next++) {
    await soundIntent(storage, queryId, next)
    takenBack.push(next)
  }
  return { last: batchId, takenBack }
}

async function carryOut(storage: Storage, { takenBack }: Rewind, tenure: Tenure): Promise<void> {
  for (const batchId of takenBack) {
    await tenure.assertHeld()
    // One that is there is of an earlier rewind: the same batch, which nobody has run since.
    const meant = await storage.read(`${OFFSETS}${batchId}`)
    if (meant) await storage.create(`${AGAIN}${batchId}`, meant)
  }
  for (const batchId of takenBack.toReversed()) {
    await tenure.assertHeld()
    await storage.remove(`${COMMITS}${batchId}`)
    // Each step durable before the next: a power cut must not bring a commit back without its offsets.
    await storage.recover()
    for (const file of await stateNames(storage)) {
      if (file.batchId === batchId) await storage.remove(file.path)
    }
    await storage.recover()
    await storage.remove(`${OFFSETS}${batchId}`)
    await storage.recover()
  }
}

async function soundIntent(storage: Storage, queryId: string, batchId: number): Promise<void> {
  if (await readIntent(storage, batchId, queryId)) return
  throw corrupt(
    storage.location,
    `${OFFSETS}${batchId}`,
    'is missing, and without it the batch cannot be run again',
  )
}

/** @param known the batches that could have been named */
export function batchUnknown(location: string, batchId: number, known: readonly number[]): SluiceError {
  const [first, last] = [known[0], known.at(-1)]
  const range =
    first === undefined ? 'none' : first === last ? `batch ${first}` : `batches ${first} to ${last}`
  return new SluiceError('CHECKPOINT_BATCH_UNKNOWN', { location, batch: batchId, known: range })
}
