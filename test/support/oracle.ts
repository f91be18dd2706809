import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'

/** A streaming query and its input, to be compared with the same query run once by plain DuckDB. */
export interface Case {
  readonly columns: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  /** Over the table or stream `events`. */
  readonly sql: string
  readonly mode: OutputMode
  /** Result columns that name a group, for update mode. */
  readonly key: readonly string[]
  /** The same for plain DuckDB, where streaming has words of its own. */
  readonly batchSql?: string
  /** Event time of `events` and its delay. */
  readonly watermark?: readonly [column: string, delay: string]
  /** Result rows that the stream has not yet handed on when its last row came. */
  readonly isHeldBack?: (row: Row) => boolean
  /** Statements that make static tables. */
  readonly tables?: readonly string[]
  /** Significant digits in which numbers must agree, where the order of additions may decide the others. */
  readonly digits?: number
  /**
   * A column that numbers the rows, where some come too late: the batch answer is then that over all rows but those
   * which the query says it has dropped.
   */
  readonly number?: string
}

export const CRASH = new Error('crash on purpose')

/**
 * Runs a case in random batch cuts with crashes and restarts in between, and compares what its sink holds in the
 * end with the batch answer. Rows are compared as multisets, so a row too many is seen as well as one too few.
 */
export async function checkAgainstBatch(
  each: Case,
  random: SeededRandom,
): Promise<{ batches: number; crashes: number; late: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-oracle-'))
  try {
    // The sink that survives crashes: what each batch wrote last, as an idempotent sink would keep it.
    const written = new Map<number, Row[]>()
    let crashes = 0
    const stream = new MemoryStream(each.columns, {
      batchRows: () => 1 + random.below(1 + Math.ceil(each.rows.length / 3)),
    })
    let fed = 0
    for (let start = 0; fed < each.rows.length || crashes === 0; start++) {
      assert.ok(start < 200, 'the query makes no progress')
      const more = Math.min(each.rows.length - fed, random.below(each.rows.length))
      stream.add(...each.rows.slice(fed, fed + more))
      fed += more
      const mayCrash = random.next() < 0.6
      crashes += await runOnce(each, stream, directory, written, mayCrash ? random : undefined)
      if (fed === each.rows.length && start > 3) break
    }
    await runOnce(each, stream, directory, written, undefined)
    const late = await lateNumbers(each, directory)
    const rows = each.rows.filter((row) => !late.has(row[each.number ?? '']))
    const expected = await batchAnswer({ ...each, rows })
    const got = lastRows(each, written)
    const { digits } = each
    assert.deepEqual(multiset(got, digits), multiset(expected, digits), `${each.mode}: ${each.sql}`)
    return { batches: written.size, crashes, late: late.size }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** One start of the query until it has caught up or crashed; answers 1 for a crash. */
async function runOnce(
  each: Case,
  stream: MemoryStream,
  directory: string,
  written: Map<number, Row[]>,
  chance: SeededRandom | undefined,
): Promise<number> {
  const session = await Session.create({ log: silentLogger })
  try {
    for (const statement of each.tables ?? []) await session.run(statement)
    const events = session.readStream.format(stream).load()
    const timed = each.watermark ? events.withWatermark(...each.watermark) : events
    timed.createOrReplaceTempView('events')
    const writer = session.sql(each.sql).writeStream.outputMode(each.mode)
    const query = await (each.number ? writer.option('lateRowsPath', join(directory, 'late')) : writer)
      .option('checkpointLocation', join(directory, 'checkpoint'))
      // A crash ends the query, or the same process tries the batch again.
      .options({ maxAttempts: chance ? 1 + chance.below(3) : 1, retryDelay: '1ms' })
      .trigger({ availableNow: true })
      .foreachBatch(async (batch, batchId) => {
        if (chance && chance.next() < 0.2) throw CRASH
        const rows = await batch.toObjects()
        const before = written.get(batchId)
        // A batch that comes again must bring the same rows: the replay is exact.
        if (before)
          assert.deepEqual(
            multiset(rows, each.digits),
            multiset(before, each.digits),
            `batch ${batchId} came again with other rows`,
          )
        written.set(batchId, rows)
        if (chance && chance.next() < 0.2) throw CRASH
      })
      .start()
    await query.awaitTermination().catch((error: Error) => {
      if (causes(error).every((cause) => cause !== CRASH)) throw error
    })
    return query.exception ? 1 : 0
  } finally {
    await session.close()
  }
}

/** What a sink holds in the end: all rows in append mode, the last of each key in update mode, the last batch in complete mode. */
export function lastRows(
  each: Pick<Case, 'mode' | 'key'>,
  written: ReadonlyMap<number, readonly Row[]>,
): Row[] {
  const batches = [...written].sort(([a], [b]) => a - b).map(([, rows]) => rows)
  if (each.mode === 'append') return batches.flat()
  if (each.mode === 'complete') return [...(batches.at(-1) ?? [])]
  const last = new Map<string, Row>()
  for (const row of batches.flat()) last.set(textOf(each.key.map((name) => row[name])), row)
  return [...last.values()]
}

/** Numbers of the rows that were dropped, each once; what an operator makes of several rows has none. */
export async function lateNumbers(
  { number }: Pick<Case, 'number'>,
  directory: string,
): Promise<Set<unknown>> {
  const late = join(directory, 'late')
  if (!number || !existsSync(late)) return new Set()
  const session = await Session.create({ log: silentLogger })
  try {
    const files = `read_parquet('${late}/**/*.parquet', hive_partitioning = true, union_by_name = true)`
    const rows = await session.sql(`SELECT COLUMNS('^(\\w+\\.)?${number}$') FROM ${files}`).collect()
    const found = rows
      .map((row) => Object.values(row).filter((value) => value !== null))
      .filter((values) => values.length === 1)
      .flat()
    const numbers = new Set(found)
    assert.equal(numbers.size, found.length, 'a late row was written twice')
    return numbers
  } finally {
    await session.close()
  }
}

async function batchAnswer(each: Case): Promise<Row[]> {
  const session = await Session.create({ log: silentLogger })
  try {
    for (const statement of each.tables ?? []) await session.run(statement)
    const all = new MemoryStream(each.columns)
    all.add(...each.rows)
    session.readStream.format(all).load().createOrReplaceTempView('all_events')
    const copy = await session
      .sql('SELECT * FROM all_events')
      .writeStream.format('memory')
      .queryName('events')
      .trigger({ once: true })
      .start()
    await copy.awaitTermination()
    const rows = await session.sql(each.batchSql ?? each.sql).collect()
    return rows.filter((row) => !each.isHeldBack?.(row))
  } finally {
    await session.close()
  }
}

export function multiset(rows: readonly Row[], digits?: number): string[] {
  return rows.map((row) => textOf(row, digits)).sort()
}

export function textOf(value: unknown, digits?: number): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'number' && digits !== undefined) return Number(item.toPrecision(digits))
    return typeof item === 'bigint' ? `${item}n` : item
  })
}

export function causes(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : []
}
