import { batchIds, stateNames } from './batch-log.ts'
import { COMMITS, type CommitRecord, readCommit } from './commits.ts'
import { OFFSETS } from './offsets.ts'
import type { StateFile } from './state-file.ts'
import type { Storage } from './storage.ts'

/**
 * Removes what neither a restart nor a rewind to one of the last `keep` batches needs.
 *
 * A state file goes only when the commit of its batch, or of a later one that is kept, decided that it does not
 * count: a file of a batch that nobody has committed stays, whoever wrote it. Commits go before offsets and both
 * before state, lowest first, so that a crash on the way leaves too much and never too little.
 *
 * @param needed the state files of the last commit, which stay whatever an older commit says
 */
export async function purgeBatches(
  storage: Storage,
  queryId: string,
  last: number,
  keep: number,
  needed: readonly StateFile[],
): Promise<void> {
  if (last < keep) return
  const commits = await batchIds(storage, COMMITS)
  const intents = await batchIds(storage, OFFSETS)
  // A commit without its offsets is the stray of a writer that slept through its replacement and a purge.
  const oldestId = commits.find((batchId) => batchId > last - keep && intents.includes(batchId))
  if (oldestId === undefined || oldestId > last) return
  const oldest = await readCommit(storage, oldestId, queryId)
  if (oldest === undefined) return
  for (const batchId of commits) if (batchId < oldestId) await storage.remove(`${COMMITS}${batchId}`)
  for (const batchId of intents) if (batchId < oldestId) await storage.remove(`${OFFSETS}${batchId}`)
  const kept = [...oldest.stateFiles, ...needed]
  await removeState(storage, kept, (batchId) => batchId <= oldestId)
}

/** Removes the state files of one committed batch that its commit does not name: those of interrupted runs. */
export async function sweepOrphans(storage: Storage, commit: CommitRecord): Promise<void> {
  await removeState(storage, commit.stateFiles, (batchId) => batchId === commit.batchId)
}

async function removeState(
  storage: Storage,
  kept: readonly StateFile[],
  isDecided: (batchId: number) => boolean,
): Promise<void> {
  const paths = new Set(kept.map((file) => file.path))
  for (const { path, batchId } of await stateNames(storage)) {
    if (isDecided(batchId) && !paths.has(path)) await storage.remove(path)
  }
}
