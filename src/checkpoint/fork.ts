import { copyFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { SluiceError } from '../errors.ts'
import type { Author } from './author.ts'
import { batchIds } from './batch-log.ts'
import { COMMITS, type CommitRecord, readCommit, sealCommit } from './commits.ts'
import { corrupt } from './corrupt.ts'
import { diskError } from './disk-error.ts'
import { initialPath, readInitial, sealInitial } from './initial-positions.ts'
import { createIdentity, readIdentity } from './metadata.ts'
import { type BatchIntent, OFFSETS, readIntent, sealIntent } from './offsets.ts'
import { batchUnknown } from './rewind.ts'
import { checkedStateFile } from './state-content.ts'
import type { StateFile } from './state-file.ts'
import type { Storage } from './storage.ts'
import { existingIdentity } from './stored-query.ts'

export interface Fork {
  /** Of the copy: another query. */
  readonly queryId: string
  /** The batch after which the copy goes on, -1 for none. */
  readonly last: number
  readonly stateFiles: number
  readonly stateBytes: number
}

/**
 * Makes an empty place the checkpoint of another query, which goes on from where this one stands after a batch.
 * Right while the query runs. What is logged and not committed stays behind: it is no batch yet.
 *
 * `metadata` comes last, so every start refuses a copy that was interrupted.
 *
 * @param at a committed batch; the last one by default
 * @throws CHECKPOINT_ABSENT, CHECKPOINT_BATCH_UNKNOWN, CHECKPOINT_TAKEN, CHECKPOINT_FOREIGN, CHECKPOINT_CORRUPT
 */
export async function fork(from: Storage, to: Storage, clock: Clock, at?: number): Promise<Fork> {
  const identity = await existingIdentity(from)
  if (await readIdentity(to)) throw taken(to)
  const author: Author = { queryId: clock.uuid(), epoch: 1, writer: clock.uuid() }
  const { last, stateFiles } = await copyBatch(from, identity.queryId, to, author, at)
  for (const index of identity.sources.keys()) {
    const position = await readInitial(from, index, identity.queryId)
    if (position !== undefined) await create(to, initialPath(index), sealInitial(author, index, position))
  }
  const { queryId } = author
  const stored = await createIdentity(to, { ...identity, queryId, createdAtMs: clock.now() })
  if (stored.queryId !== queryId) throw taken(to)
  const stateBytes = stateFiles.reduce((sum, { bytes }) => sum + bytes, 0)
  return { queryId, last, stateFiles: stateFiles.length, stateBytes }
}

async function copyBatch(
  from: Storage,
  queryId: string,
  to: Storage,
  author: Author,
  at: number | undefined,
): Promise<{ readonly last: number; readonly stateFiles: readonly StateFile[] }> {
  const commits = await batchIds(from, COMMITS)
  const last = at ?? commits.at(-1)
  if (last === undefined) return { last: -1, stateFiles: [] }
  const { commit, intent } = await readBatch(from, queryId, last, commits)
  try {
    for (const file of commit.stateFiles) await copyState(from, to, file)
  } catch (error) {
    const now = await batchIds(from, COMMITS)
    throw now.includes(last) ? error : batchUnknown(from.location, last, now)
  }
  const { epoch } = commit
  await create(to, `${OFFSETS}${last}`, sealIntent({ ...author, epoch: intent.epoch }, intent))
  await create(to, `${COMMITS}${last}`, sealCommit({ ...author, epoch }, commit))
  return { last, stateFiles: commit.stateFiles }
}

async function readBatch(
  from: Storage,
  queryId: string,
  batchId: number,
  known: readonly number[],
): Promise<{ readonly commit: CommitRecord; readonly intent: BatchIntent }> {
  const commit = await readCommit(from, batchId, queryId)
  if (!commit) throw batchUnknown(from.location, batchId, known)
  const intent = await readIntent(from, batchId, queryId)
  if (intent) return { commit, intent }
  throw corrupt(from.location, `${OFFSETS}${batchId}`, `is missing although ${COMMITS}${batchId} exists`)
}

async function copyState(from: Storage, to: Storage, file: StateFile): Promise<void> {
  const original = await checkedStateFile(from, file)
  const copy = await to.scratchFile()
  try {
    await copyFile(original, copy)
  } catch (error) {
    throw diskError('create', to.location, file.path, error)
  }
  if ((await to.createFrom(file.path, copy)) === 'exists') throw taken(to)
}

async function create(to: Storage, path: string, bytes: Uint8Array): Promise<void> {
  if ((await to.create(path, bytes)) === 'exists') throw taken(to)
}

function taken(to: Storage): SluiceError {
  return new SluiceError('CHECKPOINT_TAKEN', { location: to.location })
}
