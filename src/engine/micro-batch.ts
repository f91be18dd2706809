import type { Batch, Json, Position } from '../batch.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { BatchIntent } from '../checkpoint/offsets.ts'
import type { StateFile } from '../checkpoint/state-file.ts'
import type { Clock } from '../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import { hit } from '../failpoints.ts'
import type { Logger } from '../log.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Read, Source } from '../sources/source.ts'
import type { BadRecords } from './bad-records.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { LateRows } from './late-rows.ts'
import { nextStateKind } from './next-state-kind.ts'
import { StepTimes } from './progress.ts'
import { ReadAhead } from './read-ahead.ts'
import type { EventTimeSpan, OperatorCounts, Stages } from './stages.ts'
import { WatermarkClock, type WatermarkSettings } from './watermark.ts'
import { writeBatch } from './write-batch.ts'

/** What a query is made of once everything is open. */
export interface Machinery {
  readonly sources: readonly Source[]
  readonly stages: Stages
  readonly badRecords: BadRecords
  readonly lateRows: LateRows
  readonly deadLetters: DeadLetters | undefined
  readonly sink: Sink
  readonly checkpoint: Checkpoint
  readonly clock: Clock
  readonly log: Logger
}

/** One committed batch, for progress. */
export interface BatchReport {
  readonly intent: BatchIntent
  readonly rowsOut: number
  readonly operators: readonly OperatorCounts[]
  /** Of each watermark's rows. */
  readonly eventTimes: readonly EventTimeSpan[]
  readonly durationMs: Readonly<Record<string, number>>
  readonly metrics: readonly Readonly<Record<string, Json>>[]
}

export interface Outcome {
  /** Absent when nothing moved: then no batch ran and nothing was logged. */
  readonly report?: BatchReport
  /** Every source stood at its tip, and no operator holds back rows that the watermark has passed. */
  readonly drained: boolean
  /** Some of it was read in advance: `drained` then says nothing of what came since. */
  readonly readAhead: boolean
}

/** A batch that was logged and has failed. */
interface Unfinished {
  readonly intent: BatchIntent
  readonly batches: readonly (Batch | undefined)[]
}

/** How a query wants its batches. */
export interface BatchSettings {
  readonly minBatchesToRetain: number
  readonly maxDeltasPerSnapshot: number
  readonly watermark: WatermarkSettings
  /** Of each watermark, the sources that its rows come from. */
  readonly watermarkSources: readonly (readonly number[])[]
  /** Event times further than this after the batch's own time do not move the watermark. */
  readonly maxAheadMs: number | undefined
  /** How old files of static relations may be when a batch runs; undefined: as old as the query. */
  readonly staticRefreshMs: number | undefined
  /** Whether a watermark that moved is worth a batch without rows. */
  readonly waitsForWatermark: boolean
  /** Whether the next batch may be read while one is worked on: not where it is to wait for a time of its own. */
  readonly readsAhead: boolean
}

/** One reading of all sources. */
interface Round {
  /** When it came back. */
  readonly atMs: number
  /** Of each source: whether it stood at its tip; without an answer it may hold more. */
  readonly drained: readonly boolean[]
}

/** Batches between two clean-ups of the checkpoint: listing its folders is not free. */
const BATCHES_PER_PURGE = 20

/**
 * The beat of a query, and the only place where its steps are ordered.
 *
 * Invariants: a batch is logged before anything acts on it; its sink write and its state come before its commit;
 * the next read starts where the last logged batch ended; after a failure in between, the batch comes again as logged.
 */
export class MicroBatches {
  readonly #parts: Machinery
  readonly #settings: BatchSettings
  readonly #watermark: WatermarkClock
  #snapshotsAtMs: number
  readonly #readers: readonly ReadAhead[]
  /** Where each source's next batch starts. */
  #positions: readonly Position[]
  /** The batch that failed last, as it was meant: it comes again before anything else is read. */
  #unfinished: Unfinished | undefined

  private constructor(parts: Machinery, settings: BatchSettings, positions: readonly Position[]) {
    this.#parts = parts
    this.#settings = settings
    const { nextWatermarkMs, watermarksMs } = parts.checkpoint
    const nowMs = parts.clock.now()
    this.#watermark = new WatermarkClock(settings.watermark, nowMs, nextWatermarkMs, watermarksMs)
    this.#snapshotsAtMs = nowMs
    this.#positions = positions
    this.#readers = parts.sources.map((source) => new ReadAhead(source))
  }

  /**
   * Continues where the checkpoint stands, or pins where each source begins.
   *
   * @param asked what `Source.initial` has answered already, for the sources of a new query
   */
  static async resume(
    parts: Machinery,
    asked: readonly Position[],
    settings: BatchSettings,
  ): Promise<MicroBatches> {
    const { sources, checkpoint, log } = parts
    const positions: Position[] = []
    for (const [index, source] of sources.entries()) {
      const known =
        checkpoint.lastIntent?.sources[index]?.range.end ?? (await checkpoint.initialPosition(index))
      if (known === undefined) {
        const initial = asked[index] ?? (await source.initial())
        hit('source.asked')
        await checkpoint.pinInitialPosition(index, initial)
        hit('source.pinned')
        positions.push(initial)
      } else {
        log.info(
          { source: source.description, batch: checkpoint.last + 1 },
          'resuming from the checkpoint; options that choose a start are ignored',
        )
        await source.resume(known)
        positions.push(known)
      }
    }
    return new MicroBatches(parts, settings, positions)
  }

  /**
   * Runs a batch again as it was logged: with its rows, watermark and time. That is the one which a crash left without
   * a commit, or one after the other those which a rewind has taken back.
   */
  async replay(): Promise<BatchReport | undefined> {
    const { checkpoint, sources, clock } = this.#parts
    if (this.#unfinished) return this.#runAgain(this.#unfinished)
    const intent = await checkpoint.due()
    if (!intent) return undefined
    const times = new StepTimes(() => clock.monotonic())
    const batches = await times.of('getBatch', () =>
      allEnded(
        intent.sources.map(async ({ range, rows, digest }, index) => {
          if (rows === 0) return undefined
          const source = sources[index] as Source
          const batch = await source.reread(range)
          if (batch.rows === rows && batch.digest === digest) return batch
          const params = {
            source: source.description,
            batch: intent.batchId,
            expected: rows,
            found: batch.rows,
          }
          throw new SluiceError('REPLAY_DIFFERS', params)
        }),
      ),
    )
    hit('batch.reread')
    this.#watermark.reach(intent.watermarkMs)
    return this.#run(intent, batches, times, this.#roundUnknown())
  }

  /** Reads what there is, and makes it a batch if there is anything. After a failure the same batch comes again. */
  async next(signal: AbortSignal): Promise<Outcome> {
    const { checkpoint, clock } = this.#parts
    if (this.#unfinished) {
      const report = await this.#runAgain(this.#unfinished)
      return this.#done({ report, drained: false, readAhead: false })
    }
    const times = new StepTimes(() => clock.monotonic())
    const readAhead = this.#readers.some((reader) => reader.isUnderWay)
    const reads = await times.of('latestOffset', () =>
      allEnded(this.#readers.map((reader, index) => reader.read(this.#positions[index] as Position, signal))),
    )
    hit('batch.read')
    const round: Round = { atMs: clock.now(), drained: reads.map((read) => read.drained) }
    const drained = round.drained.every(Boolean)
    // What was read but not logged is read again by the next start: stopping here loses nothing.
    if (signal.aborted) return { drained, readAhead }
    const batches = reads.map((read) => read.batch)
    if (batches.every((batch) => !batch)) {
      this.#observe([], round)
      if (!this.#isHeldBack() && !(await this.#isDue())) {
        checkpoint.assertUnfenced()
        return { drained, readAhead }
      }
    }
    const intent: BatchIntent = {
      batchId: checkpoint.last + 1,
      epoch: checkpoint.epoch,
      startedAtMs: clock.now(),
      watermarkMs: this.#watermark.currentMs,
      sources: batches.map((batch, index) => {
        const here = this.#positions[index] as Position
        return batch
          ? { range: batch.range, rows: batch.rows, digest: batch.digest }
          : { range: { start: here, end: here }, rows: 0, digest: '' }
      }),
    }
    await times.of('walCommit', () => checkpoint.logIntent(intent))
    hit('batch.logged')
    if (this.#settings.readsAhead) this.#beginNext(reads, signal)
    const report = await this.#run(intent, batches, times, round)
    return this.#done({ report, drained, readAhead })
  }

  async #done({ report, drained, readAhead }: Required<Outcome>): Promise<Outcome> {
    // After the batch, which is committed whether or not old ones can be removed.
    if (report.intent.batchId % BATCHES_PER_PURGE === 0)
      await this.#parts.checkpoint.purge(this.#settings.minBatchesToRetain)
    hit('batch.done')
    return { report, drained: drained && !this.#isHeldBack(), readAhead }
  }

  /** A source at its tip is left alone: what comes next has yet to come. */
  #beginNext(reads: readonly Read[], signal: AbortSignal): void {
    for (const [index, { batch, drained }] of reads.entries()) {
      if (batch && !drained) this.#readers[index]?.begin(batch.range.end, signal)
    }
  }

  #runAgain({ intent, batches }: Unfinished): Promise<BatchReport> {
    const times = new StepTimes(() => this.#parts.clock.monotonic())
    return this.#run(intent, batches, times, this.#roundUnknown())
  }

  /** A batch that comes again says nothing of what its sources hold now. */
  #roundUnknown(): Round {
    return { atMs: this.#parts.clock.now(), drained: [] }
  }

  /** Whether the watermark moved past rows that an operator has not handed on. */
  #isHeldBack(): boolean {
    const { lastIntent } = this.#parts.checkpoint
    const { currentMs } = this.#watermark
    if (!this.#settings.waitsForWatermark || currentMs === null) return false
    return currentMs > (lastIntent?.watermarkMs ?? Number.NEGATIVE_INFINITY)
  }

  #observe(eventTimes: readonly EventTimeSpan[], { atMs, drained }: Round): void {
    const sightings = this.#settings.watermarkSources.map((sources, index) => ({
      greatestMs: eventTimes[index]?.greatestMs ?? null,
      hasMore: sources.some((source) => drained[source] !== true),
    }))
    this.#watermark.observe(sightings, atMs)
  }

  async #refreshSnapshots(): Promise<void> {
    const { staticRefreshMs } = this.#settings
    const nowMs = this.#parts.clock.now()
    if (staticRefreshMs === undefined || nowMs - this.#snapshotsAtMs < staticRefreshMs) return
    await this.#parts.stages.readSnapshots()
    this.#snapshotsAtMs = nowMs
  }

  /** Whether a timeout in processing time has passed; nobody waits for one that has not. */
  async #isDue(): Promise<boolean> {
    const dueMs = await this.#parts.stages.dueMs()
    return dueMs !== null && dueMs < this.#parts.clock.now()
  }

  async #run(
    intent: BatchIntent,
    batches: readonly (Batch | undefined)[],
    times: StepTimes,
    round: Round,
  ): Promise<BatchReport> {
    const { stages, badRecords, lateRows, deadLetters, sink, checkpoint, sources } = this.#parts
    const { batchId } = intent
    try {
      await this.#refreshSnapshots()
      const timeMs = intent.startedAtMs
      await stages.begin({
        batchId,
        timeMs,
        watermarkMs: intent.watermarkMs,
        lateBeforeMs: checkpoint.lastIntent?.watermarkMs ?? null,
        eventTimeLimitMs: this.#settings.maxAheadMs === undefined ? null : timeMs + this.#settings.maxAheadMs,
      })
      const { rows, malformed, operators } = await times.of('addBatch', async () => {
        for (const [index, batch] of batches.entries()) await stages.attach(index, batch?.records ?? [])
        const malformed = await badRecords.count(batchId)
        const relation = await stages.run()
        const operators = await stages.counts()
        hit('batch.computed')
        await checkpoint.assertHeld()
        hit('batch.held')
        await badRecords.write(batchId, malformed)
        await lateRows.write(batchId, operators)
        deadLetters?.begin()
        await writeBatch(sink, batchId, relation)
        await deadLetters?.write(batchId, malformed, operators)
        hit('batch.written')
        return { rows: relation.rows, malformed, operators }
      })
      const eventTimes = await stages.eventTimes()
      this.#observe(eventTimes, round)
      const state = await times.of('stateCommit', () => this.#saveState(batchId, operators))
      hit('batch.saved')
      const { epoch } = checkpoint
      await times.of('commitOffsets', () =>
        checkpoint.logCommit({
          batchId,
          epoch,
          nextWatermarkMs: this.#watermark.currentMs,
          watermarksMs: this.#watermark.valuesMs,
          state,
        }),
      )
      hit('batch.committed')
      await stages.commit()
      this.#unfinished = undefined
      await stages.detach()
      for (const batch of batches) batch?.release?.()
      this.#positions = intent.sources.map(({ range }) => range.end)
      const metrics = sources.map((source, index) => {
        const malformedRecords = malformed[index]
        return { ...source.metrics(), ...(malformedRecords === undefined ? {} : { malformedRecords }) }
      })
      return { intent, rowsOut: rows, operators, eventTimes, durationMs: times.finish(), metrics }
    } catch (error) {
      await stages.rollback()
      this.#unfinished = { intent, batches }
      // A successor sweeps the files of the writer that it replaced: then this is why, whatever failed.
      throw (await fencing(checkpoint)) ?? batchFailed(batchId, error)
    }
  }

  async #saveState(batchId: number, operators: readonly OperatorCounts[]): Promise<StateFile[]> {
    const { stages, checkpoint } = this.#parts
    const saved: StateFile[] = []
    for (const { operatorName, numRowsUpdated } of operators) {
      if (numRowsUpdated === 0) continue
      const files = checkpoint.state.chain.filter(({ operator }) => operator === operatorName)
      const kind = nextStateKind(files, this.#settings.maxDeltasPerSnapshot)
      const file = await checkpoint.state.write((path) => stages.export(operatorName, kind, path))
      hit('state.exported')
      // Whoever was replaced during a long export would leave a file that nobody asked for.
      await checkpoint.assertHeld()
      saved.push(await checkpoint.state.save(operatorName, batchId, kind, file))
    }
    return saved
  }
}

/** As `Promise.all`, but a failure waits for the others to end: whoever tries again finds every source at rest. */
async function allEnded<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works)
  return Promise.all(works)
}

/** What says that another process has taken over, if one has. */
async function fencing(checkpoint: Checkpoint): Promise<SluiceError | undefined> {
  return checkpoint.assertHeld().then(
    () => undefined,
    (error: unknown) => (hasCode(error, 'CHECKPOINT_FENCED') ? error : undefined),
  )
}

/** Errors that already say where they happened keep their code; the others learn which batch they stopped. */
function batchFailed(batchId: number, error: unknown): SluiceError {
  if (hasCode(error, 'UDF_FAILED')) {
    const params = { ...error.params, where: ` in batch ${batchId}` }
    return new SluiceError('UDF_FAILED', params, { cause: error.cause })
  }
  if (error instanceof SluiceError && !hasCode(error, 'SQL_FAILED')) return error
  const reason = hasCode(error, 'SQL_FAILED') ? String(error.params.reason) : reasonOf(error)
  return new SluiceError('BATCH_FAILED', { batch: batchId, reason }, { cause: error })
}
