import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { systemClock } from '../../src/clock.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { CRASH, causes, lateNumbers, multiset } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { n: 'INTEGER', id: 'INTEGER', ms: 'BIGINT' }
const START = Date.UTC(2026, 0, 1)
const END = START + 86_400_000
const DELAYS = { fast: '3 seconds', slow: '10 seconds' } as const

/** A view that says where the time of its rows comes from and how late they may be. */
const view = (name: keyof typeof DELAYS, delay = DELAYS[name]) =>
  `CREATE OR REPLACE VIEW ${name} WATERMARK FOR at DELAY '${delay}' AS SELECT n, id, make_timestamp(ms * 1000) AS at FROM raw_${name}`

const QUERIES = [
  "SELECT tumble(at, '5 seconds') AS w, id % 3 AS k, count(*) AS n, sum(id) AS s FROM (FROM fast UNION ALL FROM slow) GROUP BY w, k",
  'SELECT f.n AS fn, s.n AS sn FROM fast f JOIN slow s ON f.id = s.id AND s.at BETWEEN f.at - INTERVAL 2 SECOND AND f.at + INTERVAL 6 SECOND',
  'SELECT f.n AS fn, s.n AS sn FROM fast f LEFT JOIN slow s ON f.id = s.id AND s.at BETWEEN f.at AND f.at + INTERVAL 6 SECOND',
  'SELECT f.n AS fn, s.at FROM fast f ASOF LEFT JOIN slow s ON f.id % 2 = s.id % 2 AND f.at >= s.at',
] as const

const isOfEnd = (row: Row) => JSON.stringify(row, big).includes('2026-01-02') || Number(row['fn'] ?? 0) < 0

/** Two streams of which one falls silent from time to time, so that only the clock moves the watermark on. */
async function check(random: SeededRandom): Promise<number> {
  const sql = random.pick(QUERIES)
  const directory = await mkdtemp(join(tmpdir(), 'sluice-watermarks-'))
  let aheadMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
  const batchRows = () => 1 + random.below(12)
  const streams = {
    fast: new MemoryStream(COLUMNS, { batchRows, name: 'fast' }),
    slow: new MemoryStream(COLUMNS, { batchRows, name: 'slow' }),
  }
  const all: Record<keyof typeof streams, Row[]> = { fast: [], slow: [] }
  const add = (name: keyof typeof streams, row: Row) => {
    all[name].push(row)
    streams[name].add(row)
  }
  const options = {
    checkpointLocation: join(directory, 'checkpoint'),
    lateRowsPath: join(directory, 'late'),
    watermarkIdleTimeout: '1 minute',
    multipleWatermarkPolicy: random.pick(['min', 'min', 'max']),
    maxAttempts: 1,
  }
  const written = new Map<number, Row[]>()
  let number = 0
  let nowMs = START
  try {
    const rounds = 4 + random.below(4)
    for (let round = 0; round <= rounds; round++) {
      const isLast = round === rounds
      const session = await Session.create({ log: silentLogger, clock })
      try {
        for (const [name, stream] of Object.entries(streams)) {
          session.readStream.format(stream).load().createOrReplaceTempView(`raw_${name}`)
          await session.run(view(name as keyof typeof DELAYS))
        }
        const query = await session
          .sql(sql)
          .writeStream.options(options)
          .foreachBatch(async (batch, batchId) => {
            if (!isLast && random.next() < 0.05) throw CRASH
            const rows = await batch.toObjects()
            const before = written.get(batchId)
            if (before)
              assert.deepEqual(multiset(rows), multiset(before), 'a batch came again with other rows')
            written.set(batchId, rows)
            if (!isLast && random.next() < 0.05) throw CRASH
          })
          .start()
        const silent = random.pick(['fast', 'slow', undefined] as const)
        for (let i = 0; i < (isLast ? 0 : 10 + random.below(20)); i++) {
          nowMs += random.below(900)
          const name = random.pick(['fast', 'slow'] as const)
          if (name !== silent)
            add(name, {
              n: number++,
              id: random.below(6),
              ms: BigInt(nowMs - random.below(name === 'slow' ? 9000 : 2500)),
            })
        }
        if (isLast)
          for (const name of ['fast', 'slow'] as const) add(name, { n: -1, id: -1, ms: BigInt(END) })
        const settle = () =>
          query.processAllAvailable().catch((error: Error) => {
            if (!causes(error).includes(CRASH)) throw error
          })
        await settle()
        if (random.next() < 0.6) aheadMs += 61_000
        await settle()
      } finally {
        await session.close()
      }
    }
    const late = await lateNumbers({ number: 'n' }, directory)
    const expected = await batchAnswer(sql, all, late)
    const found = [...written.values()].flat().filter((row) => !isOfEnd(row))
    assert.deepEqual(multiset(found), multiset(expected.filter((row) => !isOfEnd(row))), sql)
    return late.size
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function batchAnswer(
  sql: string,
  all: Record<string, Row[]>,
  late: ReadonlySet<unknown>,
): Promise<Row[]> {
  const session = await Session.create({ log: silentLogger })
  try {
    for (const [name, rows] of Object.entries(all)) {
      const values = rows
        .filter((row) => !late.has(row['n']))
        .map((row) => `(${row['n']}, ${row['id']}, ${row['ms']})`)
      await session.run(
        `CREATE TABLE ${name} AS SELECT n, id, make_timestamp(ms::BIGINT * 1000) AS at FROM (VALUES ${values.join(', ')}) t(n, id, ms)`,
      )
    }
    return await session.sql(sql).collect()
  } finally {
    await session.close()
  }
}

test('two watermarks, of which one falls silent, give the batch answer over what they have not dropped', async () => {
  let late = 0
  await forSeeds(
    2,
    async (random) => {
      late += await check(random)
    },
    40,
  )
  if (process.env['SLUICE_SEEDS']) assert.ok(late > 0, 'no row came too late')
})

test('a view may drop duplicates within its watermark', async () => {
  const session = await Session.create({ log: silentLogger })
  try {
    const stream = new MemoryStream(COLUMNS, { batchRows: () => 1 })
    session.readStream.format(stream).load().createOrReplaceTempView('raw_fast')
    await session.run(view('fast').replace(' AS SELECT', ' DISTINCT ON (id) WITHIN WATERMARK AS SELECT'))
    const rows: Row[] = []
    const query = await session
      .sql('SELECT n FROM fast')
      .writeStream.foreachBatch(async (batch) => void rows.push(...(await batch.toObjects())))
      .start()
    const at = (n: number, id: number, second: number) => ({ n, id, ms: BigInt(START + second * 1000) })
    // The same id again: at once, within the delay, and when the watermark has passed its first by the delay.
    stream.add(at(0, 1, 0), at(1, 1, 0), at(2, 2, 2), at(3, 1, 2), at(4, 3, 20), at(5, 3, 21), at(6, 1, 22))
    await query.processAllAvailable()
    assert.deepEqual(rows, [{ n: 0 }, { n: 2 }, { n: 4 }, { n: 6 }])
  } finally {
    await session.close()
  }
})

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
