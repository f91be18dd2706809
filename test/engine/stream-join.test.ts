import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { systemClock } from '../../src/clock.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Case, checkAgainstBatch } from '../support/oracle.ts'
import { randomJoin } from '../support/random-join.ts'
import { forSeeds } from '../support/seeds.ts'

const START = Date.UTC(2026, 0, 1)
const COLUMNS = { side: 'VARCHAR', id: 'INTEGER', at: 'TIMESTAMP', v: 'INTEGER' }

/** The value of the rows that close all others. */
const END = 1000

/** Rows of several streams in one, out of order by less than ten seconds, and one of each that closes all before. */
function rows(random: SeededRandom, sides = ['a', 'b']): Row[] {
  const early: Row[] = Array.from({ length: 10 + random.below(150) }, (_, i) => ({
    side: random.pick(sides),
    id: random.below(12),
    at: new Date(START + i * 800 + random.below(8000)),
    v: random.below(100),
  }))
  const end = sides.map((side, i) => ({ side, id: -1 - i, at: new Date(START + 86_400_000), v: END }))
  return [...early, ...end]
}

const isOfEnd = (row: Row): boolean =>
  Object.values(row).some(
    (value) => value === -1 || value === -2 || JSON.stringify(value, big)?.includes('2026-01-02'),
  )

const NAMES = ["CREATE TABLE names AS SELECT i AS id, 'name ' || i AS label FROM range(0, 12, 2) r(i)"]

const AB = `WITH a AS (SELECT id, at, v FROM events WHERE side = 'a'), b AS (SELECT id, at, v FROM events WHERE side = 'b')`
const NEAR = 'a.id = b.id AND b.at BETWEEN a.at - INTERVAL 5 SECOND AND a.at + INTERVAL 10 SECOND'

/** A query, and where plain DuckDB has no such word the same for it. */
const APPEND: readonly (string | readonly [sql: string, batchSql: string])[] = [
  `${AB} SELECT a.id, a.v AS av, b.v AS bv FROM a JOIN b ON ${NEAR}`,
  `${AB} SELECT a.*, b.v AS bv FROM a, b WHERE ${NEAR} AND a.v > b.v`,
  `${AB} SELECT a.id, a.at, b.v FROM a LEFT JOIN b ON ${NEAR}`,
  `${AB} SELECT b.id, b.at, a.v FROM a RIGHT JOIN b ON ${NEAR}`,
  `${AB} SELECT a.id, b.id AS bid, a.v, b.v AS bv FROM a FULL JOIN b ON ${NEAR}`,
  `${AB} SELECT a.id, a.v FROM a SEMI JOIN b ON ${NEAR}`,
  `${AB} SELECT a.id, a.v FROM a ANTI JOIN b ON ${NEAR}`,
  `${AB} SELECT id, a.v, b.v AS bv FROM a JOIN b USING (id)`,
  `${AB} SELECT tumble(a.at, '10 seconds') AS w, count(*) AS n, sum(b.v) AS s FROM a JOIN b ON ${NEAR} GROUP BY w`,
  `${AB} SELECT tumble(a.at, '20 seconds') AS w, count(b.id) AS n FROM a LEFT JOIN b ON ${NEAR} GROUP BY w`,
  `${AB} SELECT x.w, x.n, y.n AS m FROM (SELECT tumble(at, '10 seconds') AS w, count(*) AS n FROM a GROUP BY w) x JOIN (SELECT tumble(at, '10 seconds') AS w, count(*) AS n FROM b GROUP BY w) y ON x.w = y.w`,
  `${AB} SELECT a.id, c.v FROM a JOIN b ON ${NEAR} JOIN (SELECT id, at, v FROM events WHERE v > 50) c ON c.id = b.id AND c.at = b.at`,
  `SELECT a.id, a.v, b.v AS bv FROM events a JOIN events b ON a.id = b.id AND a.side < b.side AND b.at BETWEEN a.at AND a.at + INTERVAL 3 SECOND`,
  `${AB} SELECT a.id, b.id AS bid, b.v AS bv FROM a FULL JOIN b ON a.id = b.id AND b.at BETWEEN a.at + INTERVAL 1 SECOND AND a.at + INTERVAL 5 SECOND`,
  `${AB} SELECT a.id, n.label, b.v FROM a, b, names n WHERE ${NEAR} AND n.id = a.id AND b.v > 10`,
  `${AB} SELECT a.id, b.at, t.x FROM a JOIN b ON ${NEAR}, unnest([a.v, b.v]) t(x)`,
  `${AB} SELECT * REPLACE (v + 1 AS v) FROM a JOIN (SELECT id AS bid, at AS bat, v AS bv FROM b) b ON a.id = bid AND bat BETWEEN a.at AND a.at + INTERVAL 4 SECOND`,
  // The latest before it, also where the wait for it is longer than that for the row itself.
  `${AB} SELECT a.id, a.at, b.at AS bat FROM a ASOF JOIN b ON a.id = b.id AND a.at >= b.at`,
  `${AB} SELECT id, at, a.v FROM a ASOF LEFT JOIN b USING (id, at)`,
  `${AB} SELECT a.id, a.at, b.at AS bat FROM a ASOF LEFT JOIN b ON b.at - INTERVAL 3 SECOND < a.at AND a.v % 2 = b.v % 2`,
  `${AB} SELECT tumble(a.at, '10 seconds') AS w, n.label, count(*) AS n, count(b.at) AS m FROM a ASOF LEFT JOIN b ON a.id = b.id AND a.at >= b.at + INTERVAL 2 SECOND JOIN names n ON n.id = a.id GROUP BY ALL`,
  `${AB} SELECT x.w, x.n, y.w AS yw FROM (SELECT tumble(at, '5 seconds').start AS w, count(*) AS n FROM a GROUP BY w) x ASOF JOIN (SELECT tumble(at, '10 seconds').end AS w, sum(v) AS s FROM b GROUP BY w) y ON x.w >= y.w`,
  // The same window says how long a row has to wait, and not how far apart two moments of it are.
  `WITH w AS (SELECT id, at, v, side, tumble(at, '20 seconds') AS w FROM events) SELECT a.id, a.v, b.v AS bv FROM w a JOIN w b ON a.w = b.w AND a.at >= b.at AND a.side < b.side AND a.id % 2 = b.id % 2`,
  `WITH w AS (SELECT id, at, v, side, tumble(at, '20 seconds') AS w FROM events) SELECT a.id, b.id AS bid FROM (FROM w WHERE side = 'a') a LEFT JOIN (FROM w WHERE side = 'b') b ON a.w = b.w AND a.at < b.at AND a.id = b.id`,
  `${AB} SELECT a.id, a.v, b.v AS bv FROM a LEFT JOIN b ON time_bucket(INTERVAL 7 SECOND, a.at) = time_bucket(INTERVAL 7 SECOND, b.at) AND a.id % 4 = b.id % 4`,
  `${AB} SELECT a.id, a.at FROM a ANTI JOIN b ON date_trunc('minute', a.at) = date_trunc('minute', b.at) AND a.id = b.id`,
  // A name with a dot is that of a relation, if there is one, before it is a field.
  `${AB} SELECT v.id, v.at, b.at AS bat FROM a JOIN b ON ${NEAR} JOIN (SELECT id, at FROM events) v ON v.id = a.id AND v.at = a.at`,
  // Names within a subquery are first of all those of its own tables.
  `${AB} SELECT a.id, a.v, b.v AS bv FROM a JOIN b ON ${NEAR} WHERE a.v % 12 IN (SELECT id FROM names)`,
  `${AB} SELECT a.v, (SELECT max(label) FROM names WHERE names.id = a.id) AS label FROM a JOIN b ON ${NEAR}`,
  `SELECT v, (SELECT max(label) FROM names WHERE names.id = events.id) AS label FROM events`,
  `${AB} SELECT a.id FROM a JOIN b ON ${NEAR} AND a.v % 12 IN (SELECT id FROM names) AND EXISTS (SELECT 1 FROM names n WHERE n.id = b.id)`,
  `${AB}, few AS (SELECT id FROM names WHERE id > 4) SELECT a.id, a.v, b.v AS bv FROM a LEFT JOIN b ON ${NEAR} AND b.v % 12 IN (SELECT id FROM few)`,
  `${AB} SELECT tumble(a.at, '10 seconds') AS w, a.id, (SELECT max(label) FROM names WHERE names.id = a.id) AS label, count(*) AS n FROM a JOIN b ON ${NEAR} GROUP BY w, a.id`,
  // So are those of a lambda.
  `${AB} SELECT a.id, list_transform([1, 2], (v, id) -> v + id + a.v) AS l FROM a JOIN b ON ${NEAR}`,
  // One column for both, whatever the kind; columns of one side under other names.
  `${AB} SELECT * FROM a NATURAL JOIN b`,
  `${AB} SELECT * FROM a JOIN b USING (id, at)`,
  `${AB} SELECT id, at, a.v, b.v AS bv FROM a RIGHT JOIN b USING (id, at)`,
  `${AB} SELECT id, a.v, b.v AS bv FROM a LEFT JOIN b USING (id, at)`,
  `${AB} SELECT * FROM a SEMI JOIN b USING (id, at)`,
  `${AB} SELECT * RENAME (v AS av) FROM a JOIN (SELECT id AS bid, at AS bat, v AS bv FROM b) b ON id = bid AND bat BETWEEN at AND at + INTERVAL 4 SECOND`,
  `${AB} SELECT COLUMNS('v$'), COLUMNS(c -> c LIKE '%id') FROM a JOIN (SELECT id AS bid, at AS bat, v AS bv FROM b) b ON id = bid AND bat BETWEEN at AND at + INTERVAL 4 SECOND`,
  [
    `${AB} SELECT hop(a.at, '5 seconds', '5 seconds') AS w, n.label, count(*) AS n FROM a LEFT JOIN names n USING (id) GROUP BY ALL`,
    `${AB} SELECT tumble(a.at, '5 seconds') AS w, n.label, count(*) AS n FROM a LEFT JOIN names n USING (id) GROUP BY ALL`,
  ],
  [
    `${AB} SELECT session_window(a.at, '2 seconds') AS w, a.id % 2 AS odd, count(*) AS n, count(b.id) AS m FROM a LEFT JOIN b ON ${NEAR} GROUP BY ALL`,
    `${AB}, numbered AS (SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY odd ORDER BY at) AS number FROM
       (SELECT *, coalesce(at > lag(at) OVER (PARTITION BY odd ORDER BY at) + INTERVAL 2 SECOND, true) AS is_first FROM
       (SELECT a.at, a.id % 2 AS odd, b.id AS bid FROM a LEFT JOIN b ON ${NEAR})))
     SELECT {'start': min(at), 'end': max(at) + INTERVAL 2 SECOND} AS w, odd, count(*) AS n, count(bid) AS m FROM numbered GROUP BY odd, number`,
  ],
]

const base: Pick<Case, 'columns' | 'watermark' | 'key'> = {
  columns: COLUMNS,
  watermark: ['at', '10 seconds'],
  key: [],
}

test('files that a stream is joined with are read once, and again when the interval has passed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-static-'))
  let aheadMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
  const session = await Session.create({ log: silentLogger, clock })
  try {
    const [names, allowed] = [join(directory, 'names.csv'), join(directory, 'allowed.csv')]
    const write = async (label: string, id: number) => {
      await writeFile(names, `id,label\n1,${label}\n2,${label}\n`)
      await writeFile(allowed, `id\n${id}\n`)
    }
    await write('old', 1)
    const stream = new MemoryStream({ id: 'INTEGER' })
    session.readStream.format(stream).load().createOrReplaceTempView('events')
    const rows: Row[] = []
    const query = await session
      .sql(
        `SELECT e.id, names.label FROM events e JOIN '${names}' ON names.id = e.id WHERE e.id IN (SELECT id FROM read_csv('${allowed}'))`,
      )
      .writeStream.option('staticRefreshInterval', '1 minute')
      .foreachBatch(async (batch) => void rows.push(...(await batch.toObjects())))
      .start()
    const feed = async () => {
      stream.add({ id: 1 }, { id: 2 })
      await query.processAllAvailable()
      return rows.splice(0)
    }
    assert.deepEqual(await feed(), [{ id: 1, label: 'old' }])
    await write('new', 2)
    assert.deepEqual(await feed(), [{ id: 1, label: 'old' }])
    aheadMs = 60_000
    assert.deepEqual(await feed(), [{ id: 2, label: 'new' }])
  } finally {
    await session.close()
    await rm(directory, { recursive: true, force: true })
  }
})

describe('a join of two streams', () => {
  test('hands on what the batch join gives, in any cut', async () => {
    const check = async (random: SeededRandom, seed: string) => {
      const [sql, batchSql] = [APPEND[Number(seed) % APPEND.length] ?? []].flat() as [string, string?]
      const each = {
        ...base,
        rows: rows(random),
        sql,
        mode: 'append' as const,
        tables: NAMES,
        ...(batchSql ? { batchSql } : {}),
      }
      await checkAgainstBatch({ ...each, isHeldBack: isOfEnd }, random)
    }
    await forSeeds(Math.ceil(APPEND.length / 8), check, APPEND.length)
  })

  test('of any kind gives the batch answer over all rows that it has not dropped as late', async () => {
    let late = 0
    await forSeeds(3, async (random) => {
      const numbered = rows(random, ['a', 'b', 'c']).map((row, n) => {
        const isEnd = row['v'] === END
        const at = new Date(START + random.below(40_000))
        const disturbed = random.next() < 0.1 ? { at: random.pick([at, at, null]) } : {}
        return { ...row, n: isEnd ? -1 - n : n, ...(isEnd ? {} : disturbed) }
      })
      const isHeldBack = (row: Row) =>
        row['w'] === null ||
        Object.entries(row).some(([name, value]) => name.endsWith('n') && Number(value) < 0) ||
        isOfEnd(row)
      const columns = { ...COLUMNS, n: 'INTEGER' }
      const each: Case = {
        ...base,
        columns,
        rows: numbered,
        sql: randomJoin(random),
        mode: 'append',
        isHeldBack,
      }
      late += (await checkAgainstBatch({ ...each, number: 'n', tables: NAMES }, random)).late
    })
    assert.ok(late > 0, 'no row came too late')
  })

  test('feeds an aggregation in update mode', async () => {
    await forSeeds(2, async (random) => {
      const sql = `${AB} SELECT a.id, count(*) AS n, max(b.v) AS m FROM a JOIN b ON a.id = b.id GROUP BY a.id`
      await checkAgainstBatch({ ...base, rows: rows(random), sql, mode: 'update', key: ['id'] }, random)
    })
  })

  test('forgets rows when no partner can come any more', async () => {
    const session = await Session.create({ log: silentLogger })
    const stream = new MemoryStream(COLUMNS)
    session.readStream
      .format(stream)
      .load()
      .withWatermark('at', '10 seconds')
      .createOrReplaceTempView('events')
    const query = await session
      .sql(APPEND[0] as string)
      .writeStream.format('noop')
      .start()
    const kept: number[] = []
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 40; i++) {
        stream.add({ side: i % 2 ? 'a' : 'b', id: i, at: new Date(START + (round * 40 + i) * 1000), v: i })
      }
      await query.processAllAvailable()
      kept.push((query.lastProgress?.stateOperators ?? []).reduce((sum, each) => sum + each.numRowsTotal, 0))
    }
    assert.ok(Math.max(...kept) <= 80, kept.join(' '))
    await session.close()
  })
})

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
