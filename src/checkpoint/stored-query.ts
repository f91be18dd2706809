import { SluiceError } from '../errors.ts'
import { type EpochRecord, readEpoch, seeEpochs } from './epochs.ts'
import type { Liveness } from './holder.ts'
import { type CheckpointIdentity, readIdentity } from './metadata.ts'
import { processTable } from './process-table.ts'
import type { Storage } from './storage.ts'

/** Whose checkpoint it is, and who is or was at work on it. */
export interface StoredQuery extends CheckpointIdentity {
  readonly location: string
  /** The last one who took the checkpoint; undefined when nobody has. */
  readonly holder?: StoredHolder
}

export interface StoredHolder {
  readonly epoch: number
  readonly host: string
  readonly pid: number
  readonly takenAtMs: number
  /** `released` after a clean stop; else as far as this machine can tell: `unknown` is a process elsewhere. */
  readonly standing: 'released' | Liveness
}

/**
 * The identity of a checkpoint that must be there.
 *
 * @throws CHECKPOINT_ABSENT, CHECKPOINT_FOREIGN, CHECKPOINT_CORRUPT, CHECKPOINT_VERSION
 */
export async function existingIdentity(storage: Storage): Promise<CheckpointIdentity> {
  const identity = await readIdentity(storage)
  if (identity) return identity
  throw new SluiceError('CHECKPOINT_ABSENT', { location: storage.location })
}

/** @throws as `existingIdentity` */
export async function storedQuery(storage: Storage): Promise<StoredQuery> {
  const identity = await existingIdentity(storage)
  const { location } = storage
  const { latest, released } = await seeEpochs(storage)
  const record = latest === 0 ? undefined : await readEpoch(storage, latest, identity.queryId)
  return { location, ...identity, ...(record && { holder: await holderOf(record, released) }) }
}

async function holderOf(
  { epoch, holder, writer, takenAtMs }: EpochRecord,
  released: boolean,
): Promise<StoredHolder> {
  const { host, pid } = holder
  const standing = released ? 'released' : await processTable.liveness(holder, writer)
  return { epoch, host, pid, takenAtMs, standing }
}
