import { type Fork, fork } from '../checkpoint/fork.ts'
import { openPlace } from '../checkpoint/open-storage.ts'
import { type Dropped, dropUncommitted } from '../checkpoint/repair.ts'
import { type Rewind, rewind } from '../checkpoint/rewind.ts'
import type { Storage } from '../checkpoint/storage.ts'
import { type StoredBatch, storedBatches } from '../checkpoint/stored-batches.ts'
import { existingIdentity, type StoredQuery, storedQuery } from '../checkpoint/stored-query.ts'
import { type Verdict, verify } from '../checkpoint/verify.ts'
import { type Clock, systemClock } from '../clock.ts'
import { defaultLogger, type Logger } from '../log.ts'
import type { OptionValue } from '../options.ts'

export type { Dropped, Fork, Rewind, StoredBatch, StoredQuery, Verdict }

export interface StoredCheckpointOptions {
  /** Options whose names begin with `checkpoint.`, as the query has them: `checkpoint.s3.region`. */
  readonly options?: Readonly<Record<string, OptionValue>>
  /** Any pino logger; as for a session. */
  readonly log?: Logger
  /** Time and chance; tests hand in their own. */
  readonly clock?: Clock
}

/**
 * A checkpoint without its query: what it holds, whether it is sound, and work by hand.
 *
 * `query`, `batches`, `verify` and `fork` change nothing and may be called while the query runs. `rewind` and
 * `dropUncommitted` are refused while it lives (CHECKPOINT_IN_USE). All fail with CHECKPOINT_ABSENT where there is no
 * checkpoint, and with the errors of its disk or its S3.
 */
export class StoredCheckpoint {
  readonly #storage: Storage
  readonly #open: (location: string) => Promise<Storage>
  readonly #clock: Clock
  readonly #log: Logger

  private constructor(
    storage: Storage,
    open: (location: string) => Promise<Storage>,
    clock: Clock,
    log: Logger,
  ) {
    this.#storage = storage
    this.#open = open
    this.#clock = clock
    this.#log = log
  }

  /**
   * Touches nothing yet.
   *
   * @param location as in the option `checkpointLocation`
   * @throws CHECKPOINT_LOCATION, OPTION_UNKNOWN, OPTION_INVALID, OPTION_MISSING, OPTION_TWICE
   */
  static async open(
    location: string,
    { options = {}, log = defaultLogger(), clock = systemClock }: StoredCheckpointOptions = {},
  ): Promise<StoredCheckpoint> {
    const given = new Map(Object.entries(options))
    const open = (place: string) => openPlace(place, given, clock)
    return new StoredCheckpoint(await open(location), open, clock, log)
  }

  /** Whose checkpoint it is, and who is or was at work on it. */
  query(): Promise<StoredQuery> {
    return storedQuery(this.#storage)
  }

  /** Its batches, oldest first; damaged ones say so. */
  async batches(): Promise<readonly StoredBatch[]> {
    const { queryId } = await existingIdentity(this.#storage)
    return storedBatches(this.#storage, queryId)
  }

  /** Reads every file. Damage is what it answers, not what it throws. */
  verify(): Promise<Verdict> {
    return verify(this.#storage)
  }

  /**
   * Makes an earlier batch the last one; the later ones are run again by the next starts, under their numbers and with
   * their rows.
   *
   * @returns undefined when it is the last one already
   * @throws CHECKPOINT_BATCH_UNKNOWN, CHECKPOINT_CORRUPT
   */
  rewind(batchId: number): Promise<Rewind | undefined> {
    return rewind(this.#storage, batchId, { clock: this.#clock, log: this.#log })
  }

  /**
   * Makes an empty place the checkpoint of another query that goes on from here.
   *
   * @param at a committed batch after which it goes on; the last one by default
   * @throws CHECKPOINT_TAKEN, CHECKPOINT_FOREIGN, CHECKPOINT_BATCH_UNKNOWN, CHECKPOINT_CORRUPT
   */
  async fork(location: string, at?: number): Promise<Fork> {
    const to = await this.#open(location)
    try {
      return await fork(this.#storage, to, this.#clock, at)
    } finally {
      await to.close()
    }
  }

  /**
   * Gives up what was logged after the last commit. The numbers are given to other rows: a sink that holds a part of
   * such a batch may lack rows or have them twice.
   *
   * @returns undefined when there is nothing after the last commit
   */
  dropUncommitted(): Promise<Dropped | undefined> {
    return dropUncommitted(this.#storage, { clock: this.#clock, log: this.#log })
  }

  close(): Promise<void> {
    return this.#storage.close()
  }
}
