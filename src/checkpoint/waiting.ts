import type { Clock } from '../clock.ts'
import { SluiceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type EpochRecord, type EpochsSeen, readEpoch, seeEpochs } from './epochs.ts'
import type { ProcessTable } from './holder.ts'
import type { Storage } from './storage.ts'

/** A holder that may live elsewhere is given up once it missed this many beats in a row. */
const MISSED_BEATS = 4
/** How often epochs may change hands under a start before it gives in. */
const ROUNDS_MAX = 10
/** Beyond it a Date has no text. */
const LAST_DATE_MS = 8.64e15

interface Waiting {
  readonly storage: Storage
  readonly queryId: string
  readonly clock: Clock
  readonly log: Logger
  readonly processes: ProcessTable
}

/**
 * Returns once the latest epoch has no living holder, or there is none.
 *
 * A holder on this machine is judged by its process. Any other is watched on our own monotonic clock until its
 * beat moves, or has stood still for four of its intervals; wall clocks of two machines are never compared.
 *
 * @throws CHECKPOINT_IN_USE
 */
export async function untilUnheld(waiting: Waiting): Promise<EpochsSeen> {
  const { storage, queryId, processes, log } = waiting
  let record: EpochRecord | undefined
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const seen = await seeEpochs(storage)
    if (seen.latest === 0 || seen.released) return seen
    record = await readEpoch(storage, seen.latest, queryId)
    if (record === undefined) continue
    const liveness = await processes.liveness(record.holder, record.writer)
    if (liveness === 'alive') throw inUse(storage.location, record)
    if (liveness === 'dead') {
      log.info({ epoch: record.epoch, holder: record.holder }, 'the last holder of the checkpoint is gone')
      return seen
    }
    const outcome = await watched(waiting, seen, record)
    if (outcome === 'beats') throw inUse(storage.location, record)
    if (outcome !== 'changed') return outcome
  }
  if (record) throw inUse(storage.location, record)
  return seeEpochs(storage)
}

async function watched(
  { storage, clock, log }: Waiting,
  first: EpochsSeen,
  { holder, heartbeatMs }: EpochRecord,
): Promise<EpochsSeen | 'beats' | 'changed'> {
  const patienceMs = heartbeatMs * MISSED_BEATS
  log.warn({ holder, patienceMs }, 'waiting to see whether the holder of the checkpoint still lives')
  const deadline = clock.monotonic() + patienceMs
  for (;;) {
    await clock.sleep(Math.max(1, heartbeatMs / 2))
    const now = await seeEpochs(storage)
    if (now.latest !== first.latest) return 'changed'
    if (now.released) return now
    if (now.beat !== first.beat) return 'beats'
    if (clock.monotonic() >= deadline) return now
  }
}

export function inUse(location: string, { epoch, holder, takenAtMs }: EpochRecord): SluiceError {
  const { pid, host } = holder
  const since = new Date(Math.min(takenAtMs, LAST_DATE_MS)).toISOString()
  return new SluiceError('CHECKPOINT_IN_USE', { location, pid, host, epoch, since })
}
