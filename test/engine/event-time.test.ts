import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { col, count, window, windowTime } from '../../src/api/functions.ts'
import { Session } from '../../src/api/session.ts'
import { systemClock } from '../../src/clock.ts'
import type { Row } from '../../src/duckdb.ts'
import { WatermarkClock } from '../../src/engine/watermark.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Case, checkAgainstBatch, textOf } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { at: 'TIMESTAMP', page: 'VARCHAR', userId: 'INTEGER', price: 'DOUBLE' }
const START = Date.UTC(2026, 0, 1)

/** Rows out of order by less than the watermark's ten seconds, then one that closes every window before it. */
function disordered(random: SeededRandom): Row[] {
  const rows: Row[] = Array.from({ length: 20 + random.below(300) }, (_, i) => ({
    at: new Date(START + i * 700 + random.below(9_000)),
    page: random.pick(['a', 'b', 'c', null]),
    userId: random.below(15),
    price: random.below(400) / 8,
  }))
  return [...rows, { at: new Date(START + 86_400_000), page: 'end', userId: 0, price: 0 }]
}

const isEnd = (row: Row): boolean => textOf(row).includes('2026-01-02')

const base = { columns: COLUMNS, watermark: ['at', '10 seconds'] as const, isHeldBack: isEnd }
const PANES = (slide: number, size: number) =>
  `(SELECT *, unnest(hop(at, INTERVAL ${slide} SECOND, INTERVAL ${size} SECOND)) AS w FROM events)`

const APPEND: readonly Pick<Case, 'sql' | 'batchSql'>[] = [
  { sql: "SELECT tumble(at, '10 seconds') AS w, count(*) AS n, avg(userId) AS u FROM events GROUP BY w" },
  {
    sql: "SELECT page, tumble(at, '5 seconds').start AS s, sum(price) AS p FROM events GROUP BY page, s",
  },
  {
    sql: "SELECT hop(at, '5 seconds', '15 seconds') AS w, page, count(*) AS n, max(price) AS p FROM events GROUP BY w, page",
    batchSql: `SELECT w, page, count(*) AS n, max(price) AS p FROM ${PANES(5, 15)} GROUP BY w, page`,
  },
  {
    sql: "SELECT window(at, '12 seconds', '5 seconds') AS w, count(DISTINCT userId) AS n, median(price) AS m FROM events GROUP BY 1",
    batchSql: `SELECT w, count(DISTINCT userId) AS n, median(price) AS m FROM ${PANES(5, 12)} GROUP BY 1`,
  },
  {
    sql: "SELECT window.start AS s, n FROM (SELECT window(at, '10 seconds'), count(*) AS n FROM events GROUP BY window(at, '10 seconds'))",
    batchSql:
      "SELECT w.start AS s, n FROM (SELECT tumble(at, '10 seconds') AS w, count(*) AS n FROM events GROUP BY w)",
  },
  { sql: "SELECT date_trunc('minute', at) AS m, page, count(*) AS n FROM events GROUP BY m, page" },
  {
    sql: "SELECT time_bucket(INTERVAL '8 seconds', at) AS b, count(DISTINCT userId) AS n FROM events GROUP BY b",
  },
  { sql: 'SELECT at, count(*) AS n, list(userId ORDER BY userId) AS l FROM events GROUP BY at' },
  {
    sql: "SELECT tumble(at, '20 seconds') AS w, string_agg(page, ',' ORDER BY price, page, at, userId) AS s, count(*) AS n FROM events GROUP BY w HAVING count(*) > 2",
  },
  {
    sql: "SELECT page, session_window(at, '2 seconds') AS w, count(*) AS n, sum(price) AS p, list(userId ORDER BY userId) AS l FROM events GROUP BY page, w",
    batchSql: `
      SELECT page, {'start': min(at), 'end': max(at) + INTERVAL 2 SECOND} AS w, count(*) AS n, sum(price) AS p, list(userId ORDER BY userId) AS l
      FROM (
        SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY page ORDER BY at) AS number
        FROM (SELECT *, coalesce(at > lag(at) OVER (PARTITION BY page ORDER BY at) + INTERVAL 2 SECOND, true) AS is_first FROM events)
      )
      GROUP BY page, number`,
  },
  { sql: 'SELECT DISTINCT page, userId FROM events' },
  {
    sql: 'SELECT page, userId FROM events UNION SELECT DISTINCT ON (page) page, 0 FROM events WHERE userId > 3',
  },
  {
    sql: "SELECT x.w, l.label FROM (SELECT tumble(at, '10 seconds') AS w, count(*) AS n FROM events GROUP BY w) x JOIN (VALUES (13, 'few'), (14, 'many')) l(n, label) ON l.n = x.n UNION ALL SELECT tumble(at, '20 seconds'), 'all' FROM events GROUP BY 1",
  },
  { sql: 'SELECT DISTINCT at, page FROM events WHERE userId > 2' },
  {
    sql: "SELECT tumble(window_time(w), '1 minute') AS m, sum(n) AS n, max(n) AS busiest FROM (SELECT tumble(at, '10 seconds') AS w, page, count(*) AS n FROM events GROUP BY ALL) GROUP BY m",
  },
  {
    sql: "SELECT tumble(at, '10 seconds') AS w, count(*) AS n FROM (SELECT DISTINCT userId, at FROM events) GROUP BY w",
  },
]

const UPDATE: readonly (Pick<Case, 'sql' | 'batchSql' | 'key'> & { mode?: 'complete' })[] = [
  {
    sql: "SELECT tumble(at, '10 seconds') AS w, page, count(*) AS n FROM events GROUP BY ALL",
    key: ['w', 'page'],
  },
  {
    sql: 'SELECT page, count(DISTINCT userId) AS n, quantile_cont(price, 0.25) AS q FROM events GROUP BY page',
    key: ['page'],
  },
  {
    sql: 'SELECT page, mode(userId % 2) AS m, stddev(price) > 0 AS s, count(*) FILTER (WHERE userId > 3) AS n FROM events GROUP BY page',
    key: ['page'],
  },
  {
    sql: "SELECT tumble(at, '10 seconds') AS w, count(DISTINCT page) AS n FROM events GROUP BY w",
    key: ['w'],
    mode: 'complete',
  },
  {
    sql: 'SELECT page, userId, price, row_number() OVER (PARTITION BY page ORDER BY price DESC, at, userId) AS rn FROM events QUALIFY rn <= 3',
    key: ['page', 'rn'],
  },
  {
    sql: 'SELECT DISTINCT ON (page) page, price, userId FROM events ORDER BY 1, price DESC, at, 3',
    key: ['page'],
  },
  {
    sql: 'SELECT page, at, userId FROM events QUALIFY row_number() OVER (PARTITION BY page ORDER BY at DESC, userId) = 1',
    key: ['page'],
  },
]

const LATE: readonly (Pick<Case, 'sql' | 'mode'> & Partial<Case>)[] = [
  {
    mode: 'append',
    sql: "SELECT tumble(at, '10 seconds') AS w, page, count(*) AS n, sum(number) AS s FROM events GROUP BY w, page",
  },
  {
    mode: 'update',
    key: ['w'],
    isHeldBack: () => false,
    sql: "SELECT tumble(at, '10 seconds') AS w, list(number ORDER BY number) AS l FROM events GROUP BY w",
  },
  { mode: 'append', isHeldBack: () => false, sql: 'SELECT DISTINCT at, number, page FROM events' },
  {
    mode: 'append',
    sql: "SELECT number, session_window(at, '2 seconds').start AS s FROM events GROUP BY number, session_window(at, '2 seconds')",
    batchSql: 'SELECT number, at AS s FROM events',
  },
]

describe('event time', () => {
  test('append mode hands every group on once, equal to the batch answer', async () => {
    await forSeeds(
      Math.ceil(APPEND.length / 4),
      async (random, seed) => {
        const each = APPEND[Number(seed) % APPEND.length] as Pick<Case, 'sql'>
        await checkAgainstBatch(
          { ...base, ...each, rows: disordered(random), mode: 'append', key: [] },
          random,
        )
      },
      APPEND.length,
    )
  })

  test('update and complete mode come to the batch answer', async () => {
    await forSeeds(
      Math.ceil(UPDATE.length / 4),
      async (random, seed) => {
        const { mode = 'update', ...each } = UPDATE[Number(seed) % UPDATE.length] as (typeof UPDATE)[number]
        const rows = disordered(random)
        await checkAgainstBatch({ ...base, ...each, rows, mode, isHeldBack: () => false }, random)
      },
      UPDATE.length,
    )
  })

  test('of rows that come too late, those that were not dropped make the batch answer', async () => {
    let late = 0
    await forSeeds(
      Math.ceil(LATE.length / 2),
      async (random, seed) => {
        const each = LATE[Number(seed) % LATE.length] as (typeof LATE)[number]
        const rows = disordered(random).map((row, number) => {
          const isLate = random.next() < 0.1 && textOf(row).includes('2026-01-01')
          return { ...row, number, at: isLate ? new Date(START + random.below(30_000)) : row['at'] }
        })
        const columns = { ...COLUMNS, number: 'INTEGER' }
        const ran = await checkAgainstBatch(
          { ...base, key: [], ...each, columns, rows, number: 'number' },
          random,
        )
        late += ran.late
      },
      LATE.length,
    )
    assert.ok(late > 0, 'no row came too late')
  })

  const at = (seconds: number) => new Date(START + seconds * 1000)

  async function running(
    build: (events: ReturnType<typeof load>) => ReturnType<typeof load>,
    mode = 'append',
  ) {
    const session = await Session.create({ log: silentLogger })
    const stream = new MemoryStream({ at: 'TIMESTAMP', k: 'INTEGER' })
    const rows: Row[] = []
    const query = await build(load(session, stream))
      .writeStream.outputMode(mode)
      .foreachBatch(async (batch) => void rows.push(...(await batch.toObjects())))
      .start()
    const feed = async (...seconds: number[]) => {
      stream.add(...seconds.map((second) => ({ at: at(second), k: second })))
      await query.processAllAvailable()
      return rows.splice(0)
    }
    return { session, query, feed }
  }

  function load(session: Session, stream: MemoryStream) {
    return session.readStream.format(stream).load().withWatermark('at', '5 seconds')
  }

  const perTen = (events: ReturnType<typeof load>) =>
    events.groupBy(window('at', '10 seconds')).agg(count().as('n')).select(col('window.start').as('s'), 'n')

  test('a window is handed on when the watermark passes its end, and rows behind it are dropped and counted', async () => {
    const { session, query, feed } = await running(perTen)
    assert.deepEqual(await feed(1, 2, 14), [])
    // 15 takes the watermark to 10: the first window closes without another row.
    assert.deepEqual(await feed(15), [{ s: at(0), n: 2n }])
    assert.deepEqual(await feed(3, 11), [])
    assert.equal(query.lastProgress?.stateOperators[0]?.numRowsDroppedByWatermark, 1)
    assert.equal(query.lastProgress?.eventTime.watermark, at(10).toISOString())
    assert.deepEqual(await feed(30), [{ s: at(10), n: 3n }])
    await session.close()
  })

  test('a row that is late for one hopping window counts for the others', async () => {
    const { session, query, feed } = await running((events) =>
      events
        .groupBy(window('at', '10 seconds', '5 seconds'))
        .agg(count().as('n'))
        .select(col('window.start').as('s'), 'n'),
    )
    const sorted = async (...seconds: number[]) =>
      (await feed(...seconds)).sort((a, b) => Number(a['s']) - Number(b['s']))
    assert.deepEqual(await sorted(1, 2, 14), [{ s: at(-5), n: 2n }])
    assert.deepEqual(await sorted(20), [
      { s: at(0), n: 2n },
      { s: at(5), n: 1n },
    ])
    // The watermark is 15: both windows of 3 are over, and one of the two of 11 and of 12.
    assert.deepEqual(await sorted(3, 11, 12), [])
    assert.equal(query.lastProgress?.stateOperators[0]?.numRowsDroppedByWatermark, 4)
    assert.deepEqual(await sorted(40), [
      { s: at(10), n: 3n },
      { s: at(15), n: 1n },
      { s: at(20), n: 1n },
    ])
    // Of the panes only that of 40 is left, which is in windows still open.
    assert.equal(query.lastProgress?.stateOperators[0]?.numRowsTotal, 1)
    await session.close()
  })

  test('state does not grow with the stream when a watermark bounds it', async () => {
    const { session, query, feed } = await running((events) =>
      events.groupBy(window('at', '10 seconds'), 'k').count(),
    )
    const sizes: number[] = []
    for (let round = 0; round < 12; round++) {
      await feed(...Array.from({ length: 50 }, (_, i) => round * 50 + i))
      sizes.push(query.lastProgress?.stateOperators[0]?.numRowsTotal ?? -1)
    }
    assert.ok(Math.max(...sizes) <= 20, sizes.join(' '))
    await session.close()
  })

  test('keys of duplicates are forgotten with the watermark', async () => {
    const { session, query, feed } = await running((events) =>
      events.dropDuplicatesWithinWatermark('k').select('k'),
    )
    assert.deepEqual(await feed(1, 1, 2), [{ k: 1 }, { k: 2 }])
    assert.deepEqual(await feed(2, 40), [{ k: 40 }])
    assert.deepEqual(await feed(50), [{ k: 50 }])
    assert.ok((query.lastProgress?.stateOperators[0]?.numRowsTotal ?? 9) <= 2)
    await session.close()
  })

  test('windows of windows are handed on in one pass', async () => {
    const { session, feed } = await running((events) =>
      events
        .groupBy(window('at', '10 seconds'))
        .agg(count().as('n'))
        .groupBy(window(windowTime('window'), '20 seconds'))
        .agg(count().as('windows'))
        .select('windows'),
    )
    assert.deepEqual(await feed(1, 11, 19), [])
    assert.deepEqual(await feed(26), [{ windows: 2n }])
    await session.close()
  })

  test('a timestamp far in the future does not run the watermark away when it is bounded', async () => {
    const session = await Session.create({ log: silentLogger })
    const stream = new MemoryStream({ at: 'TIMESTAMP' })
    const query = await load(session, stream)
      .writeStream.option('watermarkMaxAhead', '1 hour')
      .format('noop')
      .start()
    stream.add({ at: new Date(Date.UTC(2999, 0, 1)) }, { at: new Date(START) })
    await query.processAllAvailable()
    stream.add({ at: new Date(START) })
    await query.processAllAvailable()
    assert.equal(query.lastProgress?.eventTime.watermark, at(-5).toISOString())
    await session.close()
  })

  test('a stream that is idle does not hold back the watermark of the other, when the query says so', async () => {
    let aheadMs = 0
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
    const session = await Session.create({ log: silentLogger, clock })
    const [busy, quiet] = ['busy', 'quiet'].map((name) => new MemoryStream({ at: 'TIMESTAMP' }, { name }))
    for (const [name, stream] of Object.entries({ busy, quiet }))
      load(session, stream as MemoryStream).createOrReplaceTempView(name)
    const rows: Row[] = []
    const query = await session
      .sql(
        "SELECT tumble(at, '10 seconds').start AS s, count(*) AS n FROM (FROM busy UNION ALL FROM quiet) GROUP BY ALL",
      )
      .writeStream.option('watermarkIdleTimeout', '1 minute')
      .foreachBatch(async (batch) => void rows.push(...(await batch.toObjects())))
      .start()
    busy?.add({ at: at(1) }, { at: at(40) })
    await query.processAllAvailable()
    assert.deepEqual(rows, [])
    aheadMs = 61_000
    await query.processAllAvailable()
    assert.deepEqual(rows, [{ s: at(0), n: 1n }])
    assert.equal(query.lastProgress?.numInputRows, 0)
    await session.close()
  })

  test('late rows of a parsed stream keep the columns that the query does not look at', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-late-'))
    const session = await Session.create({ log: silentLogger })
    try {
      const stream = new MemoryStream({ data: 'BLOB' })
      const schema = { at: 'TIMESTAMP', page: 'VARCHAR' }
      const query = await perTen(
        session.readStream.format(stream).schema(schema).load().withWatermark('at', '5 seconds'),
      )
        .writeStream.option('lateRowsPath', directory)
        .format('noop')
        .start()
      for (const second of [1, 40, 50, 2]) {
        stream.add({ data: Buffer.from(JSON.stringify({ at: at(second), page: `page ${second}` })) })
        await query.processAllAvailable()
      }
      const late = `read_parquet('${directory}/**/*.parquet', hive_partitioning = true)`
      const rows = await session.sql(`SELECT operator, page, _watermark FROM ${late}`).collect()
      assert.deepEqual(rows, [{ operator: 'aggregate_0', page: 'page 2', _watermark: at(45) }])
    } finally {
      await session.close()
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('what cannot carry a watermark is refused', async () => {
    const session = await Session.create({ log: silentLogger })
    const events = session.readStream.format(new MemoryStream({ at: 'TIMESTAMP', k: 'INTEGER' })).load()
    const invalid = { code: 'EVENT_TIME_INVALID' }
    await assert.rejects(events.withWatermark('k', '1s').schema(), invalid)
    await assert.rejects(events.withWatermark('att', '1s').schema(), {
      ...invalid,
      message: /did you mean 'at'/,
    })
    await assert.rejects(events.withWatermark('at', '1s').withWatermark('at', '2s').schema(), invalid)
    await assert.rejects(events.dropDuplicatesWithinWatermark('k').schema(), { code: 'WATERMARK_REQUIRED' })
    await assert.rejects(events.dropDuplicates('kk').schema(), {
      code: 'SQL_INVALID',
      message: /did you mean 'k'/,
    })
    assert.throws(() => events.withWatermark('at', 'soon'), { code: 'OPTION_INVALID' })
    await session.close()
  })
})

function watermarks(
  delaysMs: number[],
  policy: 'min' | 'max',
  idleAfterMs?: number,
  startMs?: number,
  logged?: number[],
) {
  const clock = new WatermarkClock({ delaysMs, policy, idleAfterMs }, 0, startMs ?? null, logged)
  return {
    clock,
    /** Rows of so great an event time, null for none, in a round of reading at `nowMs`. */
    see: (greatest: (number | null)[], nowMs = 0, hasMore = false) => {
      clock.observe(
        greatest.map((greatestMs) => ({ greatestMs, hasMore })),
        nowMs,
      )
      return clock.currentMs
    },
  }
}

test('a watermark that is idle does not hold back the others', () => {
  const { see, clock } = watermarks([0, 0], 'min', 1000)
  assert.equal(see([100, null], 0), null)
  assert.equal(see([200, null], 999), null)
  assert.equal(see([300, null], 1000), 300)
  assert.equal(see([400, 310], 1500), 310)
  assert.equal(see([500, null], 2600, true), 310)
  assert.equal(see([null, null], 3600), 500)
  // Back again, and behind: the watermark stays where it is.
  assert.equal(see([600, 320], 3700), 500)
  clock.reach(900)
  assert.equal(see([650, 330], 3800), 900)
  const always = watermarks([0, 0], 'min')
  assert.equal(always.see([100, null], 1e12), null)
})

test('of several watermarks the slowest or the fastest decides, and none goes back', () => {
  const slowest = watermarks([10, 0], 'min')
  assert.equal(slowest.see([100, null]), null)
  assert.equal(slowest.see([null, 40]), 40)
  assert.equal(slowest.see([50, 30]), 40)
  assert.equal(slowest.see([null, 95]), 90)
  const fastest = watermarks([10, 0], 'max')
  assert.equal(fastest.see([100, null]), 90)
  assert.deepEqual(slowest.clock.valuesMs, [90, 95])
  const restarted = watermarks([10, 0], 'min', undefined, 90, [90, 95])
  assert.equal(restarted.see([120, null]), 95)
})
