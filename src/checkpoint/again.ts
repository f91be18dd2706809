import { isDeepStrictEqual } from 'node:util'
import { type BatchLog, batchIds } from './batch-log.ts'
import { corrupt } from './corrupt.ts'
import { AGAIN, type BatchIntent, readIntent } from './offsets.ts'
import type { Storage } from './storage.ts'

/**
 * The batches after the last commit that a rewind has taken back, ascending and without a gap.
 *
 * @throws CHECKPOINT_CORRUPT
 */
export async function batchesToRepeat(
  storage: Storage,
  { last, pending }: Pick<BatchLog, 'last' | 'pending'>,
): Promise<readonly number[]> {
  const ids = (await batchIds(storage, AGAIN)).filter((batchId) => batchId > last)
  let next = pending && ids[0] !== pending.batchId ? last + 2 : last + 1
  for (const batchId of ids) {
    if (batchId !== next) {
      throw corrupt(storage.location, `${AGAIN}${next}`, `is missing although ${AGAIN}${batchId} exists`)
    }
    next += 1
  }
  return ids
}

/** Removes what has been run again since, up to the last commit. For the single writer alone. */
export async function forgetRepeated(storage: Storage, last: number): Promise<void> {
  for (const batchId of await batchIds(storage, AGAIN)) {
    if (batchId <= last) await storage.remove(`${AGAIN}${batchId}`)
  }
}

/**
 * What a batch meant before a rewind.
 *
 * @throws CHECKPOINT_CORRUPT, also when it does not begin where the batch before it ends
 */
export async function readBatchToRepeat(
  storage: Storage,
  batchId: number,
  queryId: string,
  before: BatchIntent | undefined,
): Promise<BatchIntent> {
  const path = `${AGAIN}${batchId}`
  const meant = await readIntent(storage, batchId, queryId, AGAIN)
  if (meant === undefined) throw corrupt(storage.location, path, 'is missing though it was just listed')
  if (before && !follows(meant, before)) {
    throw corrupt(storage.location, path, `does not begin where batch ${before.batchId} ends`)
  }
  return meant
}

/** Whether a batch begins where the one before it ends. */
export function follows(batch: BatchIntent, before: BatchIntent): boolean {
  const ends = before.sources.map(({ range }) => range.end)
  return isDeepStrictEqual(
    batch.sources.map(({ range }) => range.start),
    ends,
  )
}
