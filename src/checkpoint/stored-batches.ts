import type { SluiceError } from '../errors.ts'
import { batchIds } from './batch-log.ts'
import { COMMITS, type CommitRecord, readCommit } from './commits.ts'
import { corrupt, damageIn } from './corrupt.ts'
import { AGAIN, type BatchIntent, OFFSETS, readIntent } from './offsets.ts'
import type { Storage } from './storage.ts'

/** One batch as the checkpoint has it. */
export interface StoredBatch {
  readonly batchId: number
  /**
   * `committed`: it exists. `logged`: it has been begun, and the next start runs it as it was logged. `rewound`: a
   * rewind has taken it back, and it comes again as it was.
   */
  readonly standing: 'committed' | 'logged' | 'rewound'
  /** What it means: ranges, rows, watermark and time. Absent when that file is damaged. */
  readonly intent?: BatchIntent
  /** What it left behind. Absent when it is not committed, or that file is damaged. */
  readonly commit?: CommitRecord
  /** Why a part of it cannot be read. */
  readonly damage: readonly SluiceError[]
}

/**
 * The batches that a checkpoint has, by number. Right while a query runs: what is purged meanwhile is left out.
 *
 * @throws CHECKPOINT_CORRUPT for a stray file among them
 */
export async function storedBatches(storage: Storage, queryId: string): Promise<readonly StoredBatch[]> {
  const commits = await batchIds(storage, COMMITS)
  const others = [...(await batchIds(storage, OFFSETS)), ...(await batchIds(storage, AGAIN))]
  const last = commits.at(-1) ?? -1
  const batches: StoredBatch[] = []
  for (const batchId of [...new Set([...commits, ...others])].sort((a, b) => a - b)) {
    const batch = await storedBatch(storage, queryId, batchId)
    // Below the last commit, a batch without a commit is one that is being purged.
    if (batch && (batch.standing === 'committed' || batchId > last)) batches.push(batch)
  }
  return batches
}

async function storedBatch(
  storage: Storage,
  queryId: string,
  batchId: number,
): Promise<StoredBatch | undefined> {
  const commit = await found(readCommit(storage, batchId, queryId))
  const logged = await found(readIntent(storage, batchId, queryId))
  const meant = logged ?? (await found(readIntent(storage, batchId, queryId, AGAIN)))
  if (!commit && !meant) return undefined
  const damage = [commit?.damage, meant?.damage].filter((each) => each !== undefined)
  if (commit && !logged) {
    if ((await storage.read(`${COMMITS}${batchId}`)) === undefined) return undefined
    damage.push(corrupt(storage.location, `${OFFSETS}${batchId}`, 'is missing although its commit exists'))
  }
  return Object.freeze({
    batchId,
    standing: commit ? 'committed' : logged ? 'logged' : 'rewound',
    ...(meant?.value && { intent: meant.value }),
    ...(commit?.value && { commit: commit.value }),
    damage,
  })
}

/** Undefined for no file, else what is in it or why that cannot be told. */
async function found<T>(
  read: Promise<T | undefined>,
): Promise<{ readonly value?: T; readonly damage?: SluiceError } | undefined> {
  try {
    const value = await read
    return value && { value }
  } catch (error) {
    return { damage: damageIn(error) }
  }
}
