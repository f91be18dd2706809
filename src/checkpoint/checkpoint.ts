import type { Json, Position } from '../batch.ts'
import type { Clock } from '../clock.ts'
import { SluiceError } from '../errors.ts'
import { hit } from '../failpoints.ts'
import type { Logger } from '../log.ts'
import { batchesToRepeat, forgetRepeated, readBatchToRepeat } from './again.ts'
import { type BatchLog, readBatchLog, refuseLostTail } from './batch-log.ts'
import { type BatchCommit, COMMITS, type CommitRecord, sealCommit } from './commits.ts'
import { HEARTBEAT_MAX_MS, HEARTBEAT_MS } from './epochs.ts'
import type { ProcessTable } from './holder.ts'
import { initialPath, readInitial, sealInitial } from './initial-positions.ts'
import {
  type CheckpointIdentity,
  createIdentity,
  type EngineVersions,
  readIdentity,
  refuseOtherQuery,
} from './metadata.ts'
import { type BatchIntent, OFFSETS, sealIntent } from './offsets.ts'
import { processTable } from './process-table.ts'
import { purgeBatches, sweepOrphans } from './purge.ts'
import { StateFiles } from './state-files.ts'
import type { Storage } from './storage.ts'
import { Tenure, type TenureOptions } from './tenure.ts'
import { untilUnheld } from './waiting.ts'

export interface CheckpointOptions {
  readonly clock: Clock
  readonly log: Logger
  /** What must stay the same for this query to go on from this checkpoint; compared as JSON. */
  readonly fingerprint: Json
  /** What each source reads, such as `kinesis[clicks]`, in the order of `BatchIntent.sources`. */
  readonly sources: readonly string[]
  readonly versions: EngineVersions
  /** How often this writer gives a sign of life, milliseconds. Default 10,000; a successor on another machine waits for 4 missed ones. */
  readonly heartbeatMs?: number
  /** The processes of this machine; replaced in tests. */
  readonly processes?: ProcessTable
}

/**
 * The memory of a query: which batches were meant, which exist, and the state after them.
 *
 * One writer at a time; the calls of one instance come one after another, `purge` apart. The order of steps, what
 * each crash leaves and the invariants are in `docs/checkpoint.md`.
 *
 * Every method may fail with the errors of its storage, and each that writes with CHECKPOINT_FENCED (a successor
 * took over: stop, nothing of this process counts any more) and CHECKPOINT_CONFLICT (start again).
 */
export class Checkpoint {
  readonly identity: CheckpointIdentity
  /** Parquet files of the operators' state. */
  readonly state: StateFiles
  readonly #storage: Storage
  readonly #tenure: Tenure
  #last: number
  #lastIntent: BatchIntent | undefined
  #pending: BatchIntent | undefined
  #nextWatermarkMs: number | null
  readonly #watermarksMs: readonly (number | null)[]
  /** The batch that an earlier writer began, and its commit by us: the earlier one may have left state files. */
  readonly #inherited: number | undefined
  #rerun: CommitRecord | undefined
  /** Batches that a rewind has taken back. */
  readonly #again: ReadonlySet<number>

  private constructor(
    storage: Storage,
    identity: CheckpointIdentity,
    tenure: Tenure,
    log: BatchLog,
    again: readonly number[],
  ) {
    this.identity = identity
    this.#storage = storage
    this.#tenure = tenure
    this.#last = log.last
    this.#lastIntent = log.lastIntent
    this.#pending = log.pending
    this.#nextWatermarkMs = log.lastCommit?.nextWatermarkMs ?? null
    this.#watermarksMs = log.lastCommit?.watermarksMs ?? []
    this.#inherited = log.pending?.batchId
    this.#again = new Set(again)
    this.state = new StateFiles(storage, tenure.author.epoch, log.lastCommit?.stateFiles ?? [])
  }

  /** Whether a query has been here. Writes nothing. @throws CHECKPOINT_FOREIGN, CHECKPOINT_CORRUPT, CHECKPOINT_VERSION */
  static async exists(storage: Storage): Promise<boolean> {
    return (await readIdentity(storage)) !== undefined
  }

  /**
   * Opens the checkpoint of a query as its one writer, or creates it. A refused start changes nothing.
   *
   * @throws CHECKPOINT_FOREIGN, CHECKPOINT_INCOMPATIBLE, CHECKPOINT_IN_USE, CHECKPOINT_CORRUPT, CHECKPOINT_VERSION,
   *   CHECKPOINT_MISUSE
   */
  static async open(storage: Storage, options: CheckpointOptions): Promise<Checkpoint> {
    const { clock, log, fingerprint, sources, versions, processes = processTable } = options
    const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
    if (!(heartbeatMs >= 1 && heartbeatMs <= HEARTBEAT_MAX_MS)) {
      const reason = `a heartbeat of ${heartbeatMs} ms is not between 1 and ${HEARTBEAT_MAX_MS}`
      throw new SluiceError('CHECKPOINT_MISUSE', { location: storage.location, reason })
    }
    const identity =
      (await readIdentity(storage)) ??
      (await createIdentity(storage, {
        queryId: clock.uuid(),
        createdAtMs: clock.now(),
        fingerprint,
        sources,
        versions,
      }))
    refuseOtherQuery(storage.location, identity, { fingerprint, sources })
    const { queryId } = identity
    const seen = await untilUnheld({ storage, queryId, clock, log, processes })
    // Judged before the epoch is taken, so that a damaged checkpoint is refused untouched.
    const before = await readBatchLog(storage, queryId)
    await refuseLostTail(storage, queryId, seen, before.last)
    await batchesToRepeat(storage, before)
    const tenureOptions: TenureOptions = { storage, queryId, clock, log, processes, heartbeatMs }
    const tenure = await Tenure.take(tenureOptions, seen, before.highestEpoch, before.last)
    hit('checkpoint.taken')
    try {
      await storage.recover()
      hit('checkpoint.recovered')
      await tenure.begin()
      hit('checkpoint.tidied')
      // Read again: until the epoch was ours, a writer that we replaced could still append.
      const now = await readBatchLog(storage, queryId)
      await forgetRepeated(storage, now.last)
      return new Checkpoint(storage, identity, tenure, now, await batchesToRepeat(storage, now))
    } catch (error) {
      await tenure.end(before.last)
      throw error
    }
  }

  get queryId(): string {
    return this.identity.queryId
  }

  get epoch(): number {
    return this.#tenure.author.epoch
  }

  /** The last committed batch, -1 when there is none. */
  get last(): number {
    return this.#last
  }

  /** Of the last committed batch: the ends of its ranges are where reading continues. */
  get lastIntent(): BatchIntent | undefined {
    return this.#lastIntent
  }

  /** The batch after `last` when it is logged and not committed: it must be run exactly as it says. */
  get pending(): BatchIntent | undefined {
    return this.#pending
  }

  /**
   * The batch after `last` when its meaning is settled: it is pending, or a rewind has taken it back, in which case
   * it is logged first. It must be run exactly as it says.
   *
   * @throws CHECKPOINT_CORRUPT
   */
  async due(): Promise<BatchIntent | undefined> {
    const batchId = this.#last + 1
    if (this.#pending || !this.#again.has(batchId)) return this.#pending
    const meant = await readBatchToRepeat(this.#storage, batchId, this.queryId, this.#lastIntent)
    await this.logIntent({ ...meant, epoch: this.epoch })
    return this.#pending
  }

  /** What the last commit says the next batch starts with; null when nothing is committed or known. */
  get nextWatermarkMs(): number | null {
    return this.#nextWatermarkMs
  }

  /** Where each watermark of the query stood at the last commit before this start; empty when nothing was committed. */
  get watermarksMs(): readonly (number | null)[] {
    return this.#watermarksMs
  }

  /** Where source `index` began, or undefined when it was never asked. */
  initialPosition(index: number): Promise<Position | undefined> {
    return readInitial(this.#storage, index, this.queryId)
  }

  /** Stores where source `index` begins. Must be done before its first read, or a crash would move "latest". */
  async pinInitialPosition(index: number, position: Position): Promise<void> {
    await this.#append(initialPath(index), sealInitial(this.#tenure.author, index, position))
  }

  /**
   * Says that this process is still the one writer. Call it right before the sink is written: a process that slept
   * through its replacement then writes nothing.
   */
  assertHeld(): Promise<void> {
    return this.#tenure.assertHeld()
  }

  /** The same out of what the last sign of life has met: free, for a query that waits for rows and appends nothing. */
  assertUnfenced(): void {
    this.#tenure.assertUnfenced()
  }

  /**
   * Creates `offsets/<n>`: from here on batch n means exactly this. The same intent again is no error.
   *
   * @throws CHECKPOINT_MISUSE unless n follows the last commit and the epoch is ours
   */
  async logIntent(intent: BatchIntent): Promise<void> {
    this.#expect(intent, this.#last + 1)
    if (this.#pending && this.#pending.epoch !== this.epoch) {
      throw this.#misuse(`batch ${intent.batchId} is pending and must be run as it was logged`)
    }
    if (intent.sources.length !== this.identity.sources.length) {
      throw this.#misuse(`batch ${intent.batchId} has ${intent.sources.length} sources`)
    }
    await this.#append(`${OFFSETS}${intent.batchId}`, sealIntent(this.#tenure.author, intent))
    this.#pending = Object.freeze({ ...intent })
  }

  /**
   * Creates `commits/<n>`: the batch exists, with its state. The sink must have it and the state must be saved.
   *
   * @throws CHECKPOINT_MISUSE unless n is pending and the state files are of this batch and epoch
   */
  async logCommit(commit: BatchCommit): Promise<void> {
    const { batchId, epoch, nextWatermarkMs } = commit
    if (this.#pending?.batchId !== batchId)
      throw this.#misuse(`batch ${batchId} is committed but was not logged`)
    this.#expect(commit, this.#last + 1)
    for (const file of commit.state) this.#expect(file, batchId)
    const record: CommitRecord = {
      batchId,
      epoch,
      nextWatermarkMs,
      watermarksMs: commit.watermarksMs ?? [],
      stateFiles: this.state.after(commit.state),
    }
    await this.#append(`${COMMITS}${batchId}`, sealCommit(this.#tenure.author, record))
    this.state.committed(record.stateFiles)
    this.#last = batchId
    this.#lastIntent = this.#pending
    this.#pending = undefined
    this.#nextWatermarkMs = nextWatermarkMs
    if (this.#inherited === batchId) this.#rerun = record
  }

  /**
   * Removes what is not needed to go on, or to go back to one of the last `minBatchesToRetain` (1 or more) batches.
   */
  async purge(minBatchesToRetain: number): Promise<void> {
    if (!Number.isSafeInteger(minBatchesToRetain) || minBatchesToRetain < 1) {
      throw this.#misuse(`${minBatchesToRetain} batches cannot be retained`)
    }
    await this.#tenure.assertHeld()
    if (this.#last < 0) return
    if (this.#rerun) await sweepOrphans(this.#storage, this.#rerun)
    this.#rerun = undefined
    const needed = this.state.chain
    await purgeBatches(this.#storage, this.queryId, this.#last, minBatchesToRetain, needed)
  }

  /** Gives the checkpoint back. May be called more than once; never throws. */
  close(): Promise<void> {
    return this.#tenure.end(this.#last)
  }

  async #append(path: string, bytes: Uint8Array): Promise<void> {
    await this.#tenure.assertHeld()
    if ((await this.#storage.create(path, bytes)) === 'created') return
    const there = await this.#storage.read(path)
    // Our nonce is in the bytes: this is our own write, done before and its answer lost.
    if (there !== undefined && Buffer.compare(there, bytes) === 0) return
    await this.#tenure.assertHeld()
    throw new SluiceError('CHECKPOINT_CONFLICT', {
      location: this.#storage.location,
      path,
      epoch: this.epoch,
      other: there === undefined ? 'gone' : epochIn(there),
    })
  }

  #expect(step: { readonly batchId: number; readonly epoch: number }, batchId: number): void {
    if (step.batchId === batchId && step.epoch === this.epoch) return
    throw this.#misuse(
      `batch ${step.batchId} of epoch ${step.epoch} came where batch ${batchId} of epoch ${this.epoch} is due`,
    )
  }

  #misuse(reason: string): SluiceError {
    return new SluiceError('CHECKPOINT_MISUSE', { location: this.#storage.location, reason })
  }
}

/** The epoch that a file was written under, for a message; the file need not be sound. */
function epochIn(bytes: Uint8Array): string {
  return /"epoch":(\d{1,15})\b/.exec(Buffer.from(bytes).toString('latin1'))?.[1] ?? 'unknown'
}
