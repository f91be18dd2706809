import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { type Connection, Database, type Row } from '../../src/duckdb.ts'
import type { Progress } from '../../src/engine/progress.ts'
import { silentLogger } from '../../src/log.ts'
import { recordsOf } from '../../src/rows.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { CRASH, causes, lastRows, multiset } from '../support/oracle.ts'
import { DELAY, ORACLE_MACROS, type RandomQuery, randomQuery } from '../support/random-query.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = {
  id: 'INTEGER',
  ts: 'TIMESTAMP',
  page: 'VARCHAR',
  userId: 'INTEGER',
  n: 'INTEGER',
  price: 'DOUBLE',
}
const START = Date.UTC(2026, 0, 1)
const SCHEMA = Object.entries({ ...COLUMNS, late_before: 'TIMESTAMP' }).map(([name, type]) => ({
  name,
  type,
}))

let session: Session
let database: Database
let oracle: Connection

before(async () => {
  session = await Session.create({ log: silentLogger })
  database = await Database.open()
  oracle = await database.connect()
  for (const macro of ORACLE_MACROS) await oracle.run(macro)
})

after(async () => {
  oracle.close()
  database.close()
  await session.close()
})

/** Out of order within the watermark's delay, some far behind it; the last row closes every window before it. */
function randomRows(random: SeededRandom, mayBeLate: boolean): Row[] {
  const maybe = <T>(value: T, chance: number): T | null => (random.next() < chance ? null : value)
  const pace = random.pick([50, 700, 3000])
  const rows: Row[] = Array.from({ length: 2 + random.below(120) }, (_, id) => {
    const behind = mayBeLate && random.next() < 0.15 ? random.below(90_000) : 0
    return {
      id,
      ts: maybe(new Date(START + id * pace + random.below(9_000) - behind), 0.03),
      page: maybe(random.pick(['a', 'A', 'b', 'c']), 0.1),
      userId: random.below(5),
      n: random.below(100),
      price: 1 + random.next() * 50,
    }
  })
  return [
    ...rows,
    { id: rows.length, ts: new Date(START + 86_400_000), page: 'end', userId: 0, n: 50, price: 1 },
  ]
}

/** Runs a query to its end, through crashes, in cuts that chance decides. */
async function streamed(query: RandomQuery, rows: readonly Row[], random: SeededRandom) {
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-fuzz-'))
  const stream = new MemoryStream(COLUMNS, {
    batchRows: () => 1 + random.below(1 + Math.ceil(rows.length / 3)),
  })
  const written = new Map<number, Row[]>()
  const reports = new Map<number, Progress>()
  const isCrashing = () => random.next() < 0.1
  try {
    const first = random.below(rows.length)
    let hasCrashed = false
    for (const part of [rows.slice(0, first), rows.slice(first), []]) {
      if (part.length === 0 && !hasCrashed) continue
      stream.add(...part)
      session.readStream.format(stream).load().withWatermark('ts', DELAY).createOrReplaceTempView('events')
      const running = await session
        .sql(query.sql)
        .writeStream.outputMode(query.mode)
        .option('checkpointLocation', checkpoint)
        .trigger({ availableNow: true })
        .foreachBatch(async (batch, batchId) => {
          if (part.length > 0 && isCrashing()) throw CRASH
          written.set(batchId, await batch.toObjects())
          if (part.length > 0 && isCrashing()) throw CRASH
        })
        .start()
      await running.awaitTermination().catch((error: Error) => {
        if (!causes(error).includes(CRASH)) throw error
      })
      hasCrashed = running.exception !== undefined
      for (const report of running.recentProgress) reports.set(report.batchId, report)
    }
    return { written, reports: [...reports.values()].sort((a, b) => a.batchId - b.batchId) }
  } finally {
    await rm(checkpoint, { recursive: true, force: true })
  }
}

/** Every row with the watermark of the batch before its own: what it may have come too late for. */
function withLateness(rows: readonly Row[], reports: readonly Progress[]): Row[] {
  return reports.flatMap((report, i) => {
    const watermark = reports[i - 1]?.eventTime.watermark
    const { startOffset, endOffset } = report.sources[0] as Progress['sources'][number]
    const late_before = watermark === undefined ? null : new Date(watermark)
    return rows.slice(Number(startOffset), Number(endOffset)).map((row) => ({ ...row, late_before }))
  })
}

async function check(random: SeededRandom): Promise<void> {
  const query = randomQuery(random)
  const rows = randomRows(random, query.mayBeLate)
  const { written, reports } = await streamed(query, rows, random)
  const judged = withLateness(rows, reports)
  assert.equal(judged.length, rows.length, 'every row is in one batch')
  await oracle.attach('events', SCHEMA, [recordsOf(SCHEMA, judged)])
  const expected = await oracle.rows(query.batchSql)
  const found = lastRows(query, written)
  assert.deepEqual(multiset(found, 9), multiset(expected, 9), `${query.mode}: ${query.sql}`)
  if (query.droppedSql === undefined) return
  const dropped = reports.map((report) => report.stateOperators[0]?.numRowsDroppedByWatermark ?? 0)
  const total = dropped.reduce((sum, each) => sum + each, 0)
  assert.equal(
    total,
    Number(await oracle.value(query.droppedSql)),
    `late rows of ${query.mode}: ${query.sql}`,
  )
}

test('random queries with late rows, in random cuts, with crashes, give the batch answer', async () => {
  await forSeeds(2, check)
})
