import { unlink } from 'node:fs/promises'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import { codeInWords, diskError } from './disk-error.ts'
import { checkedStateFile, measure } from './state-content.ts'
import { appended, isOperatorName, type StateFile, type StateKind, statePath } from './state-file.ts'
import type { Storage } from './storage.ts'

/** A state file that DuckDB can read. */
export interface LoadedStateFile {
  readonly batchId: number
  readonly kind: StateKind
  /** An absolute path on this machine. Must not be changed. */
  readonly file: string
}

/** Retries of one batch by one writer; more than any restart policy makes. */
const ATTEMPTS_MAX = 1000

/**
 * The state of a query as Parquet files, blind to what is in them.
 *
 * Invariants: a file counts only once a commit names it, so a crash between `save` and the commit leaves an orphan
 * and nothing else; `load` gives exactly the files named by the last commit, verified, or fails.
 */
export class StateFiles {
  readonly #storage: Storage
  readonly #epoch: number
  #chain: readonly StateFile[]

  constructor(storage: Storage, epoch: number, chain: readonly StateFile[]) {
    this.#storage = storage
    this.#epoch = epoch
    this.#chain = chain
  }

  /** All files of the state after the last commit. */
  get chain(): readonly StateFile[] {
    return this.#chain
  }

  /**
   * Lets DuckDB write a file that is to be saved, at a local path where there is none yet. Nothing is left of one that
   * it could not finish: on a full disk it would keep the next attempt from its room.
   *
   * @throws CHECKPOINT_FULL, CHECKPOINT_DENIED, CHECKPOINT_IO, and whatever else `write` throws
   */
  async write(write: (file: string) => Promise<unknown>): Promise<string> {
    const file = await this.#storage.scratchFile()
    try {
      await write(file)
      return file
    } catch (error) {
      await unlink(file).catch(() => undefined)
      const reason = hasCode(error, 'SQL_FAILED') ? String(error.params.reason) : reasonOf(error)
      if (codeInWords(reason) === undefined) throw error
      throw diskError('create', this.#storage.location, 'a state file', new Error(reason, { cause: error }))
    }
  }

  /**
   * Stores a local Parquet file as the state of `operator` after `batchId`; the file is gone afterwards.
   * The answer goes into the commit of the batch.
   *
   * @param operator letters, digits, `_` and `-`
   * @throws CHECKPOINT_MISUSE, CHECKPOINT_FULL, CHECKPOINT_DENIED, CHECKPOINT_IO
   */
  async save(operator: string, batchId: number, kind: StateKind, file: string): Promise<StateFile> {
    if (!isOperatorName(operator)) throw this.#misuse(`'${operator}' cannot name an operator's folder`)
    const { bytes, crc32 } = await measure(this.#storage.location, file)
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      // An earlier attempt of ours may have left a file of that name, and its commit may yet turn out to be there.
      const path = statePath(operator, batchId, this.#epoch, attempt, kind)
      if ((await this.#storage.createFrom(path, file)) === 'created') {
        return Object.freeze({ path, operator, batchId, epoch: this.#epoch, kind, bytes, crc32 })
      }
    }
    throw this.#misuse(`batch ${batchId} was saved ${ATTEMPTS_MAX} times`)
  }

  /**
   * The files to read into the operator's table, in this order: the snapshot, if any, then the deltas.
   * Empty when the operator has no state yet.
   *
   * @throws CHECKPOINT_CORRUPT for a missing or changed file
   */
  async load(operator: string): Promise<readonly LoadedStateFile[]> {
    const loaded: LoadedStateFile[] = []
    for (const each of this.#chain.filter((file) => file.operator === operator)) {
      const { batchId, kind } = each
      loaded.push({ batchId, kind, file: await checkedStateFile(this.#storage, each) })
    }
    return loaded
  }

  /** The state after a batch that saved these files. For the checkpoint, around its commit. */
  after(saved: readonly StateFile[]): readonly StateFile[] {
    return appended(this.#chain, saved)
  }

  /** For the checkpoint, once the commit that names `chain` exists. */
  committed(chain: readonly StateFile[]): void {
    this.#chain = chain
  }

  #misuse(reason: string): SluiceError {
    return new SluiceError('CHECKPOINT_MISUSE', { location: this.#storage.location, reason })
  }
}
