import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Case, checkAgainstBatch } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { id: 'INTEGER', at: 'TIMESTAMP', page: 'VARCHAR', price: 'INTEGER' }
const START = Date.UTC(2026, 0, 1)

/** Out of order within ten seconds; the last row closes every window before it. */
function rows(random: SeededRandom): Row[] {
  const early = Array.from({ length: 20 + random.below(150) }, (_, id) => ({
    id,
    at: new Date(START + id * 700 + random.below(9_000)),
    page: random.pick(['a', 'b', 'c', null]),
    price: random.below(50),
  }))
  return [...early, { id: -1, at: new Date(START + 86_400_000), page: 'end', price: 0 }]
}

const W = "tumble(at, '10 seconds')"
const GROUPS = `SELECT ${W} AS w, page, count(*) AS n, sum(price) AS s FROM events GROUP BY w, page`

const CASES: readonly (readonly [OutputMode, string, key?: readonly string[]])[] = [
  // Of a window that has closed all groups are there: nothing has to be kept to compare them.
  ['append', `${GROUPS} QUALIFY row_number() OVER (PARTITION BY w ORDER BY count(*) DESC, page) <= 2`],
  ['append', `SELECT * FROM (${GROUPS}) QUALIFY rank() OVER (PARTITION BY w ORDER BY n DESC) = 1 AND s > 9`],
  ['append', `SELECT page, n / sum(n) OVER (PARTITION BY w.start) AS share FROM (${GROUPS})`],
  [
    'append',
    `WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY w ORDER BY s DESC, page) AS rn FROM (${GROUPS})) SELECT r.w, r.page, r.rn FROM ranked r WHERE r.rn <= 2`,
  ],
  [
    'append',
    `SELECT tumble(window_time(w), '30 seconds') AS v, count(*) AS n, max(s) AS s FROM (${GROUPS} QUALIFY row_number() OVER (PARTITION BY w ORDER BY s, page) = 1) GROUP BY v`,
  ],
  [
    'append',
    `SELECT ${W}.start AS s, page, lag(count(*)) OVER (PARTITION BY s ORDER BY page) AS l FROM events GROUP BY s, page HAVING count(*) > 1`,
  ],
  [
    'complete',
    'SELECT page, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS r FROM events GROUP BY page',
  ],
  [
    'complete',
    'SELECT page, n / sum(n) OVER () AS share FROM (SELECT page, count(*) AS n FROM events GROUP BY page)',
  ],
  [
    'complete',
    'SELECT page, s FROM (SELECT page, sum(price) AS s, dense_rank() OVER (ORDER BY sum(price) DESC) AS r FROM events GROUP BY page) WHERE r < 3',
  ],
  // As it is written where there is no QUALIFY.
  [
    'update',
    'SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY page ORDER BY price DESC, id) AS rn FROM events) WHERE rn <= 3',
    ['page', 'rn'],
  ],
  [
    'update',
    'WITH r AS (SELECT page, id, row_number() OVER (PARTITION BY page ORDER BY at DESC, id) AS rn FROM events) SELECT t.page, t.id FROM r AS t WHERE t.rn = 1',
    ['page'],
  ],
]

test('window functions over groups, and top-N by a row number in WHERE, give the batch answer', async () => {
  await forSeeds(
    3,
    async (random, seed) => {
      const [mode, sql, key = []] = CASES[Number(seed) % CASES.length] as (typeof CASES)[number]
      const isHeldBack = (row: Row) => mode === 'append' && JSON.stringify(row, big).includes('2026-01-02')
      const withoutEnd = (row: Row) => mode === 'append' && row['page'] === 'end'
      const each: Case = {
        columns: COLUMNS,
        rows: rows(random),
        sql,
        mode,
        key,
        watermark: ['at', '10 seconds'],
      }
      await checkAgainstBatch({ ...each, isHeldBack: (row) => isHeldBack(row) || withoutEnd(row) }, random)
    },
    CASES.length,
  )
})

test('over groups that may still change they are refused', async () => {
  const session = await Session.create({ log: silentLogger })
  try {
    session.readStream
      .format(new MemoryStream(COLUMNS))
      .load()
      .withWatermark('at', '10 seconds')
      .createOrReplaceTempView('events')
    const refused: readonly (readonly [OutputMode, string])[] = [
      [
        'update',
        'SELECT page, count(*) AS n, rank() OVER (ORDER BY count(*)) AS r FROM events GROUP BY page',
      ],
      ['update', `SELECT page, n / sum(n) OVER (PARTITION BY w) AS share FROM (${GROUPS})`],
      ['append', `SELECT page, n / sum(n) OVER () AS share FROM (${GROUPS})`],
      ['append', `SELECT page, n / sum(n) OVER (PARTITION BY page) AS share FROM (${GROUPS})`],
      // Only the first of two windows says when a group is final.
      [
        'append',
        `SELECT ${W} AS w, tumble(at, '15 seconds') AS v, count(*) AS n, sum(count(*)) OVER (PARTITION BY v) AS s FROM events GROUP BY w, v`,
      ],
      ['complete', 'SELECT max(r) AS m FROM (SELECT row_number() OVER (ORDER BY at) AS r FROM events)'],
    ]
    for (const [mode, sql] of refused) {
      await assert.rejects(session.sql(sql).writeStream.outputMode(mode).format('noop').start(), (error) => {
        assert.ok(hasCode(error, 'STREAMING_UNSUPPORTED'), `${sql}: ${String(error)}`)
        assert.equal(error.params.key, 'window-function', sql)
        return true
      })
    }
  } finally {
    await session.close()
  }
})

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
