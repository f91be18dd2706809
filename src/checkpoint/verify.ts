import type { SluiceError } from '../errors.ts'
import { batchesToRepeat, readBatchToRepeat } from './again.ts'
import { type BatchLog, readBatchLog, refuseLostTail } from './batch-log.ts'
import { damageIn } from './corrupt.ts'
import { seeEpochs } from './epochs.ts'
import { readInitial } from './initial-positions.ts'
import { checkedStateFile } from './state-content.ts'
import type { StateFile } from './state-file.ts'
import type { Storage } from './storage.ts'
import { storedBatches } from './stored-batches.ts'
import { existingIdentity } from './stored-query.ts'

/** What a look at every file of a checkpoint has found. */
export interface Verdict {
  readonly batches: number
  readonly stateFiles: number
  readonly stateBytes: number
  /** Empty for a sound checkpoint. */
  readonly problems: readonly Problem[]
}

export interface Problem {
  /** `start`: the next start is refused. `rewind`: it is not, but going back to some batch is. */
  readonly stops: 'start' | 'rewind'
  readonly error: SluiceError
}

/**
 * Reads every file of a checkpoint, and checks lengths and checksums. Changes nothing, and may be called while the
 * query runs: what only looks like damage because the query went on between two reads is looked at again.
 *
 * @throws CHECKPOINT_ABSENT, and what keeps it from reading; damage is what it answers
 */
export async function verify(storage: Storage): Promise<Verdict> {
  const first = await look(storage)
  if (first.problems.length === 0) return first
  const second = await look(storage)
  const seenBefore = new Set(first.problems.map(({ error }) => error.message))
  return { ...second, problems: second.problems.filter(({ error }) => seenBefore.has(error.message)) }
}

async function look(storage: Storage): Promise<Verdict> {
  const problems = new Map<string, Problem>()
  const tried = async <T>(stops: Problem['stops'], work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      const damage = damageIn(error)
      if (!problems.has(damage.message)) problems.set(damage.message, { stops, error: damage })
      return undefined
    }
  }
  const files = new Map<string, StateFile>()
  const answer = (batches: number): Verdict => ({
    batches,
    stateFiles: files.size,
    stateBytes: [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    problems: [...problems.values()],
  })
  const identity = await tried('start', () => existingIdentity(storage))
  if (!identity) return answer(0)
  const { queryId } = identity
  // As a start judges it.
  const log = await tried('start', async () => {
    const seen = await seeEpochs(storage)
    const found = await readBatchLog(storage, queryId)
    await refuseLostTail(storage, queryId, seen, found.last)
    return found
  })
  for (const index of identity.sources.keys())
    await tried('start', () => readInitial(storage, index, queryId))
  await tried('start', () => readRewound(storage, queryId, log))
  const batches = (await tried('start', () => storedBatches(storage, queryId))) ?? []
  for (const { batchId, commit, damage } of batches.toReversed()) {
    const stops = batchId < (log?.last ?? 0) ? 'rewind' : 'start'
    for (const error of damage) await tried(stops, () => Promise.reject(error))
    for (const file of commit?.stateFiles ?? []) {
      if (files.has(file.path)) continue
      files.set(file.path, file)
      await tried(stops, () => checkedStateFile(storage, file))
    }
  }
  return answer(batches.length)
}

/** The batches that a rewind has taken back, each of which must begin where the one before it ends. */
async function readRewound(storage: Storage, queryId: string, log: BatchLog | undefined): Promise<void> {
  if (!log) return
  let before = log.pending ?? log.lastIntent
  const done = log.pending?.batchId ?? log.last
  for (const batchId of await batchesToRepeat(storage, log)) {
    if (batchId > done) before = await readBatchToRepeat(storage, batchId, queryId, before)
  }
}
