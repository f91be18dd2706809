import { isDeepStrictEqual } from 'node:util'
import { batchIds } from './batch-log.ts'
import { corrupt } from './corrupt.ts'
import { AGAIN, type BatchIntent, readIntent } from './offsets.ts'
import type { Storage } from './storage.ts'

/** Batches after `last` that a rewind has taken back. Those that have been run again since are forgotten. */
export async function batchesToRepeat(storage: Storage, last: number): Promise<readonly number[]> {
  const ids = await batchIds(storage, AGAIN)
  for (const batchId of ids) if (batchId <= last) await storage.remove(`${AGAIN}${batchId}`)
  return ids.filter((batchId) => batchId > last)
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
