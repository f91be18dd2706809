import type { Clock } from '../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import { hit } from '../failpoints.ts'
import type { Logger } from '../log.ts'
import { type Author, sealAuthored } from './author.ts'
import { corrupt } from './corrupt.ts'
import {
  beatPath,
  type EpochRecord,
  type EpochsSeen,
  epochPath,
  readEpoch,
  releasePath,
  sealEpoch,
  sealRelease,
  seeEpochs,
} from './epochs.ts'
import type { ProcessTable } from './holder.ts'
import type { Storage } from './storage.ts'
import { inUse } from './waiting.ts'

/** Epochs whose records are kept, to see who held a checkpoint before. */
const RECORDS_KEPT = 10

export interface TenureOptions {
  readonly storage: Storage
  readonly queryId: string
  readonly clock: Clock
  readonly log: Logger
  readonly processes: ProcessTable
  readonly heartbeatMs: number
}

/**
 * The time during which this process is the one writer of a checkpoint.
 *
 * It ends for good when a higher epoch exists. `assertHeld` before each append notices that; what slips through
 * between the look and the append is decided by put-if-absent (docs/checkpoint.md, "Fencing").
 */
export class Tenure {
  readonly author: Author
  readonly #options: TenureOptions
  readonly #stop = new AbortController()
  #beating: Promise<void> = Promise.resolve()
  #beat = 0
  /** What the last beat met. */
  #fenced: SluiceError | undefined
  #ended: Promise<void> | undefined

  private constructor(options: TenureOptions, author: Author) {
    this.#options = options
    this.author = Object.freeze(author)
  }

  /**
   * Takes the epoch after all that were `seen`, and all that the log names.
   *
   * @param highestLogged the highest epoch in offsets, commits and state, 0 for none
   * @param last the last committed batch
   * @throws CHECKPOINT_IN_USE when somebody else was faster
   */
  static async take(
    options: TenureOptions,
    seen: EpochsSeen,
    highestLogged: number,
    last: number,
  ): Promise<Tenure> {
    const { storage, queryId, clock, processes, heartbeatMs } = options
    const epoch = Math.max(seen.highest, highestLogged) + 1
    const author: Author = { queryId, epoch, writer: clock.uuid() }
    const holder = await processes.self()
    const record: EpochRecord = { ...author, holder, takenAtMs: clock.now(), heartbeatMs, last }
    // Before the epoch can be seen, or another start in this process would take us for one that was closed.
    processes.opened(author.writer)
    try {
      await Tenure.#win(storage, record)
      return new Tenure(options, author)
    } catch (error) {
      processes.closed(author.writer)
      throw error
    }
  }

  static async #win(storage: Storage, record: EpochRecord): Promise<void> {
    const { epoch, queryId } = record
    const bytes = sealEpoch(record)
    const lost = async (winner: number) =>
      inUse(storage.location, (await readEpoch(storage, winner, queryId)) ?? record)
    if ((await storage.create(epochPath(epoch), bytes)) === 'exists') {
      const there = await storage.read(epochPath(epoch))
      // A lost answer, repeated by the transport, comes back as `exists` though the file is ours.
      if (there === undefined || Buffer.compare(there, bytes) !== 0) throw await lost(epoch)
    }
    // Ours may be a number that was taken, replaced and tidied away while we slept.
    const { latest } = await seeEpochs(storage)
    if (latest !== epoch) throw await lost(latest)
  }

  /** Starts the signs of life and removes those of earlier holders. */
  async begin(): Promise<void> {
    await this.#tidy()
    this.#beating = this.#keepBeating()
  }

  /** @throws CHECKPOINT_FENCED once somebody else holds a higher epoch, CHECKPOINT_CORRUPT when ours was removed */
  async assertHeld(): Promise<void> {
    const { storage, queryId } = this.#options
    const { epoch } = this.author
    const { latest } = await seeEpochs(storage)
    if (latest === epoch) return
    if (latest < epoch) throw corrupt(storage.location, epochPath(epoch), 'was removed while its query runs')
    const successor = await readEpoch(storage, latest, queryId)
    throw new SluiceError('CHECKPOINT_FENCED', {
      location: storage.location,
      epoch,
      successor: latest,
      pid: successor?.holder.pid ?? 'unknown',
      host: successor?.holder.host ?? 'unknown',
    })
  }

  /** @throws CHECKPOINT_FENCED once a beat has found a higher epoch; asks nobody */
  assertUnfenced(): void {
    if (this.#fenced) throw this.#fenced
  }

  /** Gives the epoch back, so that the next start need not ask whether we live. Never throws. */
  end(last: number): Promise<void> {
    this.#ended ??= this.#release(last)
    return this.#ended
  }

  async #release(last: number): Promise<void> {
    const { storage, log, processes } = this.#options
    this.#stop.abort()
    await this.#beating
    try {
      await this.assertHeld()
      await storage.create(releasePath(this.author.epoch), sealRelease(this.author, last))
      hit('checkpoint.released')
      await storage.remove(beatPath(this.author.epoch, this.#beat))
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'the checkpoint could not be released')
    }
    processes.closed(this.author.writer)
  }

  async #keepBeating(): Promise<void> {
    const { storage, clock, log, heartbeatMs } = this.#options
    const { epoch } = this.author
    for (;;) {
      await clock.sleep(heartbeatMs, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      try {
        // A process that was replaced while it slept gives no more signs of life.
        await this.assertHeld()
        const beat = this.#beat + 1
        await storage.create(beatPath(epoch, beat), sealAuthored('beat', this.author, { beat }))
        this.#beat = beat
        await storage.remove(beatPath(epoch, beat - 1))
      } catch (error) {
        if (hasCode(error, 'CHECKPOINT_FENCED')) {
          this.#fenced = error
          return
        }
        log.warn({ epoch, reason: reasonOf(error) }, 'no sign of life could be given on the checkpoint')
      }
    }
  }

  async #tidy(): Promise<void> {
    const { storage } = this.#options
    const { epoch } = this.author
    const { names } = await seeEpochs(storage)
    for (const name of names) {
      const isStale = name.kind === 'beat' ? name.epoch < epoch : name.epoch <= epoch - RECORDS_KEPT
      if (isStale) await storage.remove(name.path)
    }
  }
}
