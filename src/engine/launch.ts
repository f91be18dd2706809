import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Schema } from '../batch.ts'
import { Checkpoint } from '../checkpoint/checkpoint.ts'
import { openPlace, openStorage } from '../checkpoint/open-storage.ts'
import type { Clock } from '../clock.ts'
import { type Database, duckdbVersion } from '../duckdb.ts'
import { hit } from '../failpoints.ts'
import type { Logger } from '../log.ts'
import type { GivenOptions } from '../options.ts'
import type { Program } from '../plan/incremental.ts'
import type { StreamInput } from '../plan/plan.ts'
import type { RefusedRow, Sink } from '../sinks/sink.ts'
import type { Source } from '../sources/source.ts'
import { sluiceVersion } from '../version.ts'
import { Attempts, type RestartPolicy } from './attempts.ts'
import { BadRecords, type OpenBadRecords } from './bad-records.ts'
import { DeadLetters, LETTER_SCHEMA, type OpenDeadLetters, type Refuse, RefusedRows } from './dead-letters.ts'
import { LateRows, type OpenLateRows } from './late-rows.ts'
import { MicroBatches } from './micro-batch.ts'
import { Stages } from './stages.ts'
import { StopMarker } from './stop-marker.ts'
import { StreamExecution } from './stream-execution.ts'
import type { Trigger } from './trigger.ts'
import type { WatermarkPolicy } from './watermark.ts'

/** Everything about a query that is decided before it starts. */
export interface Launch {
  readonly name: string | undefined
  readonly database: Database
  readonly program: Program
  readonly trigger: Trigger
  /** Absent: a temporary directory that goes with the query. */
  readonly checkpointLocation: string | undefined
  /** Options whose names begin with `checkpoint.`: how to reach the location. */
  readonly checkpointOptions: GivenOptions
  /** How often the checkpoint gets a sign of life. */
  readonly heartbeatMs: number
  readonly minBatchesToRetain: number
  readonly restarts: RestartPolicy
  readonly maxDeltasPerSnapshot: number
  /** A path whose appearance stops the query. */
  readonly stopMarker: string | undefined
  readonly watermarkPolicy: WatermarkPolicy
  readonly watermarkIdleAfterMs: number | undefined
  readonly maxAheadMs: number | undefined
  readonly staticRefreshMs: number | undefined
  readonly openSource: (input: StreamInput) => Source
  /** `stop` aborts when the query is asked to stop. */
  readonly openSink: (schema: Schema, queryId: string, stop: AbortSignal, refuse?: Refuse) => Promise<Sink>
  readonly openBadRecords: OpenBadRecords
  /** Absent where late rows are counted and no more. */
  readonly openLateRows: OpenLateRows | undefined
  /** Absent where the query keeps no dead letters. */
  readonly openDeadLetters: OpenDeadLetters | undefined
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Opens what a query needs, in an order in which a wrong setting is found before anything is written, and starts it.
 * When something fails, all that was opened is closed again.
 */
export async function launch(query: Launch): Promise<StreamExecution> {
  const { program, clock, log } = query
  const stopping = new AbortController()
  const closing: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (const step of closing.splice(0).reverse()) {
      await step()
      hit('query.closing')
    }
  }
  try {
    const openFolder = (folder: string) => openPlace(folder, query.checkpointOptions, clock)
    const stopMarker =
      query.stopMarker === undefined ? undefined : await StopMarker.open(query.stopMarker, openFolder, log)
    if (stopMarker) closing.push(() => stopMarker.close())
    const sources = program.sources.map(({ input }) => {
      const source = query.openSource(input)
      closing.push(() => source.close())
      return source
    })
    const location = query.checkpointLocation ?? (await temporaryLocation(closing))
    const storage = await openStorage(location, query.checkpointOptions, clock)
    closing.push(() => storage.close())
    // The sources of a new query are asked before anything is written: a wrong stream name, region or key leaves
    // nothing behind that would refuse the corrected one.
    const isNew = !(await Checkpoint.exists(storage))
    const initial = isNew ? await Promise.all(sources.map((source) => source.initial())) : []
    const checkpoint = await Checkpoint.open(storage, {
      clock,
      log,
      fingerprint: program.fingerprint,
      sources: sources.map((source) => source.description),
      versions: { sluice: sluiceVersion, duckdb: duckdbVersion },
      heartbeatMs: query.heartbeatMs,
    })
    closing.push(() => checkpoint.close())
    const id = checkpoint.queryId
    const refused = new RefusedRows()
    const refuse = query.openDeadLetters && ((row: RefusedRow) => refused.add(row))
    const sink = await query.openSink(program.schema, id, stopping.signal, refuse)
    closing.push(() => sink.close())
    const deadLetterSink = await query.openDeadLetters?.(LETTER_SCHEMA, id, stopping.signal)
    if (deadLetterSink) closing.push(() => deadLetterSink.close())
    const watermarkMs = checkpoint.lastIntent?.watermarkMs ?? null
    const stages = await Stages.prepare(query.database, program, watermarkMs, async (operator) =>
      (await checkpoint.state.load(operator)).map(({ file }) => file),
    )
    closing.push(() => stages.close())
    hit('state.loaded')
    const badRecords = await BadRecords.open(
      program,
      stages,
      (path, source, schema) => query.openBadRecords(path, source, schema, id, stopping.signal),
      (opened) => closing.push(() => opened.close()),
    )
    const { openLateRows } = query
    const lateRows = await LateRows.open(
      program,
      stages,
      openLateRows && ((operator, schema) => openLateRows(operator, schema, id, stopping.signal)),
      (opened) => closing.push(() => opened.close()),
    )
    const deadLetters =
      deadLetterSink && new DeadLetters(program, stages, refused, deadLetterSink, { queryId: id, sink })
    const parts = { sources, stages, badRecords, lateRows, deadLetters, sink, checkpoint, clock, log }
    const { name, trigger } = query
    const batches = await MicroBatches.resume(parts, initial, {
      minBatchesToRetain: query.minBatchesToRetain,
      maxDeltasPerSnapshot: query.maxDeltasPerSnapshot,
      watermark: {
        delaysMs: program.watermarks.map((watermark) => watermark.delayMs),
        policy: query.watermarkPolicy,
        idleAfterMs: query.watermarkIdleAfterMs,
      },
      watermarkSources: program.watermarks.map((watermark) => watermark.sources),
      maxAheadMs: query.maxAheadMs,
      staticRefreshMs: query.staticRefreshMs,
      waitsForWatermark: program.waitsForWatermark,
      readsAhead:
        trigger.kind === 'availableNow' || (trigger.kind === 'processingTime' && trigger.intervalMs === 0),
    })
    return new StreamExecution({
      id,
      runId: clock.uuid(),
      name,
      batches,
      trigger,
      attempts: new Attempts(query.restarts, clock, log),
      sources,
      sink,
      stopMarker,
      stopping,
      clock,
      log,
      close,
    })
  } catch (error) {
    await close()
    throw error
  }
}

async function temporaryLocation(closing: (() => Promise<void> | void)[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-checkpoint-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  return directory
}
