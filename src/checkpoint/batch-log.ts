import type { SluiceError } from '../errors.ts'
import { COMMITS, type CommitRecord, readCommit } from './commits.ts'
import { corrupt } from './corrupt.ts'
import { type EpochsSeen, epochPath, readEpoch, readRelease, releasePath } from './epochs.ts'
import { type BatchIntent, OFFSETS, readIntent } from './offsets.ts'
import { parseStatePath, STATE, type StateName } from './state-file.ts'
import type { Storage } from './storage.ts'

/** What offsets, commits and state say together: where the query stands. */
export interface BatchLog {
  /** Last committed batch, -1 when there is none. */
  readonly last: number
  readonly lastIntent: BatchIntent | undefined
  readonly lastCommit: CommitRecord | undefined
  /** The batch after `last`, logged but not committed. */
  readonly pending: BatchIntent | undefined
  /** Highest epoch named by any of these files, 0 for none. */
  readonly highestEpoch: number
}

/**
 * Reads and judges the log without writing anything.
 *
 * Whatever a restart needs must be there and sound; what lies below is only looked at by name. A missing batch is
 * damage, except that one stray file below the retained ones is what a writer leaves that slept through its
 * replacement and a purge, and is told by its lower epoch.
 *
 * @throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION
 */
export async function readBatchLog(storage: Storage, queryId: string): Promise<BatchLog> {
  const commits = await batchIds(storage, COMMITS)
  const intents = await batchIds(storage, OFFSETS)
  const last = commits.at(-1) ?? -1
  const newest = intents.at(-1) ?? -1
  const missing = (path: string, reason: string) => corrupt(storage.location, path, `is missing ${reason}`)
  if (last >= 0 && !intents.includes(last))
    throw missing(`${OFFSETS}${last}`, `although ${COMMITS}${last} exists`)
  if (newest > last + 1) throw missing(`${COMMITS}${newest - 1}`, `although ${OFFSETS}${newest} exists`)

  const lastIntent = last < 0 ? undefined : await readIntent(storage, last, queryId)
  const lastCommit = last < 0 ? undefined : await readCommit(storage, last, queryId)
  const pending = newest > last ? await readIntent(storage, newest, queryId) : undefined
  if (last >= 0 && !(lastIntent && lastCommit))
    throw missing(`${COMMITS}${last}`, 'though it was just listed')
  await refuseGap(intents, missing, OFFSETS, (batchId) => readIntent(storage, batchId, queryId))
  await refuseGap(commits, missing, COMMITS, (batchId) => readCommit(storage, batchId, queryId))
  const state = await stateNames(storage)
  const ahead = state.find((file) => file.batchId > newest)
  if (ahead) throw missing(`${OFFSETS}${ahead.batchId}`, `although ${ahead.path} exists`)

  const epochs = [lastIntent, lastCommit, pending, ...state].map((file) => file?.epoch ?? 0)
  const highestEpoch = epochs.reduce((most, epoch) => Math.max(most, epoch), 0)
  return { last, lastIntent, lastCommit, pending, highestEpoch }
}

/** Refuses a log that ends before a batch which an earlier writer has seen committed. */
export async function refuseLostTail(
  storage: Storage,
  queryId: string,
  seen: EpochsSeen,
  last: number,
): Promise<void> {
  if (seen.latest === 0) return
  const found = (await readEpoch(storage, seen.latest, queryId))?.last ?? -1
  const left = seen.released ? ((await readRelease(storage, seen.latest, queryId)) ?? -1) : -1
  if (last >= Math.max(found, left)) return
  const [batchId, witness] =
    left >= found ? [left, releasePath(seen.latest)] : [found, epochPath(seen.latest)]
  throw corrupt(storage.location, `${COMMITS}${batchId}`, `is missing although ${witness} has seen it`)
}

/** Batch numbers in `offsets/` or `commits/`, ascending. */
export async function batchIds(storage: Storage, folder: string): Promise<readonly number[]> {
  const paths = await storage.list(folder)
  return paths
    .map((path) => {
      const name = path.slice(folder.length)
      if (/^(?:0|[1-9]\d{0,14})$/.test(name)) return Number(name)
      throw corrupt(
        storage.location,
        path,
        'is not a batch number',
        'move the file out of the checkpoint, if it is none of its own',
      )
    })
    .sort((a, b) => a - b)
}

/** State files by their names, strangers left out. */
export async function stateNames(storage: Storage): Promise<readonly StateName[]> {
  const paths = await storage.list(STATE)
  return paths.map(parseStatePath).filter((name) => name !== undefined)
}

async function refuseGap(
  ids: readonly number[],
  missing: (path: string, reason: string) => SluiceError,
  folder: string,
  read: (batchId: number) => Promise<{ readonly epoch: number } | undefined>,
): Promise<void> {
  const below = ids.findLastIndex((id, i) => i + 1 < ids.length && ids[i + 1] !== id + 1)
  const [stray, bottom] = [ids[below], ids[below + 1]]
  if (stray === undefined || bottom === undefined) return
  const [strayFile, bottomFile] = [await read(stray), await read(bottom)]
  if (strayFile && bottomFile && strayFile.epoch < bottomFile.epoch) return
  throw missing(`${folder}${stray + 1}`, `between ${folder}${stray} and ${folder}${bottom}`)
}
