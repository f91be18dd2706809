import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RecordBatch, Table } from 'apache-arrow'
import type { DataFrame } from '../../src/api/dataframe.ts'
import { Session } from '../../src/api/session.ts'
import type { Schema } from '../../src/batch.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { type Connection, quoted } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { GeneratedSource, type Origin, type RowGenerator } from '../../src/sources/generated-source.ts'
import { NexmarkRows } from '../../src/sources/nexmark/nexmark-rows.ts'
import { parseNexmarkOptions } from '../../src/sources/nexmark/options.ts'
import type { SourceFormat } from '../../src/sources/source.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { NEXMARK_STREAMS, type NexmarkQuery, type NexmarkSettings } from './nexmark.ts'

/** Where the closing events lie: so far in the future that every window before them is finished. */
const FAR = 1_000_000
const CLOSING_EVENTS = 50

/** All windows of processing time are one; see `q12.batch.sql`. */
export const STILL_CLOCK: Clock = { ...systemClock, now: () => Date.UTC(2026, 0, 1) }

const CRASH = new Error('crash on purpose')

/** A table of the Nexmark stream, cut into batches as it is told. */
class CutRows implements RowGenerator {
  readonly description: string
  readonly schema: Schema
  readonly #settings: NexmarkSettings
  readonly #events: number
  readonly #closing: number
  readonly #rows: NexmarkRows
  readonly #batchEvents: () => number

  /**
   * @param isClosed whether a few events from far in the future come last, so that windows are handed on
   * @param batchEvents how many events the next batch covers
   */
  constructor(settings: NexmarkSettings, isClosed: boolean, batchEvents: () => number) {
    this.#settings = settings
    this.#events = Number(settings['events'])
    this.#closing = isClosed ? CLOSING_EVENTS : 0
    this.#rows = this.#generator({})
    this.#batchEvents = batchEvents
    this.description = this.#rows.description
    this.schema = this.#rows.schema
  }

  origin(): Origin {
    return this.#rows.origin()
  }

  refusal(origin: Origin): string | undefined {
    return this.#rows.refusal(origin)
  }

  available(): number {
    return this.#events + this.#closing
  }

  batchEnd(next: number, available: number): number {
    const end = this.#generator({ batchEvents: this.#batchEvents() }).batchEnd(
      next,
      Math.min(available, this.#events),
    )
    if (end > next) return end
    return next < available && this.#closing > 0 ? available : next
  }

  /** A batch that reaches into the closing events has no row before them; see `batchEnd`. */
  records(origin: Origin, start: number, end: number): RecordBatch {
    if (end <= this.#events) return this.#rows.records(origin, start, end)
    return this.#rows.records(origin, Math.max(start, this.#events) + FAR, end + FAR)
  }

  #generator(more: NexmarkSettings): NexmarkRows {
    const options = new Map(Object.entries({ ...this.#settings, ...more }))
    options.delete('events')
    return new NexmarkRows(parseNexmarkOptions(options), STILL_CLOCK)
  }
}

/** What a query wrote, oldest batch first; a batch that came again counts once. */
export interface Streamed {
  readonly schema: Schema
  readonly batches: readonly Table[]
  readonly crashes: number
}

/** The three streams as views of a session, with the watermarks of a query. */
export async function createNexmarkViews(
  session: Session,
  query: NexmarkQuery,
  load: (table: string) => DataFrame,
): Promise<void> {
  for (const statement of query.setup) await session.run(statement)
  for (const table of NEXMARK_STREAMS) {
    const watermark = query.watermarks.find(([stream]) => stream === table)
    const frame = load(table)
    const timed = watermark ? frame.withWatermark(watermark[1], watermark[2]) : frame
    timed.createOrReplaceTempView(table)
  }
}

/** Runs a query as a stream, in random batch cuts, with crashes and restarts in between. */
export async function streamedAnswer(
  query: NexmarkQuery,
  settings: NexmarkSettings,
  random: SeededRandom,
): Promise<Streamed> {
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-nexmark-'))
  const written = new Map<number, Table>()
  let schema: Schema = []
  let crashes = 0
  try {
    for (let start = 0; start < 50; start++) {
      const isCrashing = start < 2 && random.next() < 0.7
      const hasCrashed = await runOnce(
        query,
        settings,
        random,
        checkpoint,
        async (batchId, rows, columns) => {
          schema = columns
          if (isCrashing && random.next() < 0.2) throw CRASH
          written.set(batchId, rows)
          if (isCrashing && random.next() < 0.2) throw CRASH
        },
      )
      if (!hasCrashed) break
      crashes++
    }
    const batches = [...written].sort(([a], [b]) => a - b).map(([, rows]) => rows)
    return { schema, batches, crashes }
  } finally {
    await rm(checkpoint, { recursive: true, force: true })
  }
}

/** One start of the query until it has read everything or crashed; answers whether it crashed. */
async function runOnce(
  query: NexmarkQuery,
  settings: NexmarkSettings,
  random: SeededRandom,
  checkpoint: string,
  write: (batchId: number, rows: Table, columns: Schema) => Promise<void>,
): Promise<boolean> {
  const session = await Session.create({ log: silentLogger, clock: STILL_CLOCK })
  try {
    await createNexmarkViews(session, query, (table) =>
      session.readStream
        .format(
          cutNexmark(
            { ...settings, table },
            query,
            () => 1 + random.below(Math.ceil(Number(settings['events']) / 4)),
          ),
        )
        .load(),
    )
    const running = await session
      .sql(query.sql)
      .writeStream.outputMode(query.mode)
      .option('checkpointLocation', checkpoint)
      .trigger({ availableNow: true })
      .foreachBatch(async (batch, batchId) => write(batchId, await batch.toArrow(), batch.schema))
      .start()
    await running.awaitTermination().catch((error: unknown) => {
      if (!causes(error).includes(CRASH)) throw error
    })
    return running.exception !== undefined
  } finally {
    await session.close()
  }
}

/** One table of a finite stream; after it come events that close every window, where a query has a watermark. */
export function cutNexmark(
  settings: NexmarkSettings,
  query: NexmarkQuery,
  batchEvents: () => number,
): SourceFormat {
  const rows = new CutRows(settings, query.watermarks.length > 0, batchEvents)
  return {
    name: 'nexmark',
    schema: () => rows.schema,
    describe: () => rows.description,
    open: () => new GeneratedSource(rows),
  }
}

/**
 * What the sink holds in the end, as the table `found`: every row in append mode, the last of each key in update mode,
 * the last batch in complete mode.
 */
export async function keepFound(
  connection: Connection,
  { schema, batches }: Streamed,
  mode: OutputMode,
  key: readonly string[],
): Promise<void> {
  await connection.attach('batch', schema, [])
  await connection.run('CREATE OR REPLACE TEMP TABLE written AS SELECT 0 AS "batch number", * FROM batch')
  for (const [number, { batches: records }] of batches.entries()) {
    await connection.attach('batch', schema, records)
    await connection.run(`INSERT INTO written SELECT ${number}, * FROM batch`)
  }
  const last = `"batch number" = max("batch number") OVER (${mode === 'update' ? `PARTITION BY ${key.map(quoted)}` : ''})`
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE found AS SELECT * EXCLUDE ("batch number") FROM written
     ${mode === 'append' ? '' : `QUALIFY ${last}`}`,
  )
}

function causes(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : []
}
