import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { DataFrame } from '../../src/api/dataframe.ts'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { multiset } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { at: 'TIMESTAMP', page: 'VARCHAR', n: 'BIGINT' }
const START = Date.UTC(2026, 0, 1)

/** What stands below the watermark, and whether its rows may be read where the parsed records lie. */
const BELOW: readonly (readonly [string, kind: 'VIEW' | 'TABLE'])[] = [
  ['SELECT * FROM events', 'VIEW'],
  ["SELECT e.at, page AS page, n FROM events AS e WHERE e.page <> 'b' AND n IS NOT NULL", 'VIEW'],
  ["SELECT at, upper(page) AS page, n FROM events WHERE page LIKE 'a%'", 'TABLE'],
  ['SELECT at, page, n FROM events WHERE n % 3 <> 0', 'TABLE'],
  [
    "SELECT at, title AS page, n FROM events JOIN (VALUES ('a', 'Apple')) AS t(p, title) ON p = page",
    'TABLE',
  ],
]

const ABOVE = [
  [
    "SELECT tumble(at, '10 seconds') AS w, page, count(*) AS c, sum(n) AS s FROM timed GROUP BY w, page",
    'append',
  ],
  ["SELECT tumble(at, '10 seconds') AS w, median(n) AS m, count(*) AS c FROM timed GROUP BY w", 'append'],
  ["SELECT page, session_window(at, '2 seconds') AS w, count(*) AS c FROM timed GROUP BY page, w", 'append'],
  ['SELECT DISTINCT page, at FROM timed', 'append'],
  ["SELECT at, n FROM timed WHERE page = 'a'", 'append'],
] as const

let session: Session

before(async () => {
  session = await Session.create({ log: silentLogger })
})

after(() => session.close())

/** Out of order by more than the watermark allows, so that some rows are late. */
function randomRows(random: SeededRandom): Row[] {
  return Array.from({ length: 50 + random.below(200) }, (_, i) => ({
    at: random.below(30) === 0 ? null : new Date(START + i * 400 + random.below(12_000)),
    page: random.pick(['a', 'b', 'c', null]),
    n: random.below(10) === 0 ? null : BigInt(random.below(100)),
  }))
}

const asRecord = (row: Row) => ({
  data: Buffer.from(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? Number(value) : value))),
})

test('event time of parsed records is that of the same rows as columns', async () => {
  await forSeeds(
    3,
    async (random) => {
      const rows = randomRows(random)
      const cuts = Array.from({ length: 50 }, () => 1 + random.below(80))
      const [typed, bytes] = [
        new MemoryStream(COLUMNS, cutting(cuts)),
        new MemoryStream({ data: 'BLOB' }, cutting(cuts)),
      ]
      typed.add(...rows)
      bytes.add(...rows.map(asRecord))
      const [below, kind] = random.pick(BELOW)
      const [sql, mode] = random.pick(ABOVE)
      const expected = await answer(session.readStream.format(typed).load(), below, sql, mode)
      const found = await answer(session.readStream.format(bytes).schema(COLUMNS).load(), below, sql, mode)
      assert.deepEqual(multiset(found.rows), multiset(expected.rows), `${sql} over ${below}`)
      assert.deepEqual(found.watermarks, expected.watermarks)
      assert.match(expected.plan, /^keep +CREATE OR REPLACE TEMP TABLE/m)
      assert.match(found.plan, new RegExp(`^keep +CREATE OR REPLACE TEMP ${kind}`, 'm'), below)
    },
    30,
  )
})

/** The same rows in every batch, whatever they are made of. */
function cutting(cuts: readonly number[]): { readonly batchRows: () => number } {
  let batch = 0
  return { batchRows: () => cuts[batch++ % cuts.length] as number }
}

async function answer(events: DataFrame, below: string, sql: string, mode: 'append') {
  events.createOrReplaceTempView('events')
  session.sql(below).withWatermark('at', '5 seconds').createOrReplaceTempView('timed')
  const rows: Row[] = []
  const query = await session
    .sql(sql)
    .writeStream.outputMode(mode)
    .trigger({ availableNow: true })
    .foreachBatch(async (batch) => void rows.push(...(await batch.toObjects())))
    .start()
  await query.awaitTermination()
  const late = (each: (typeof query.recentProgress)[number]) =>
    each.stateOperators.map(({ numRowsDroppedByWatermark }) => numRowsDroppedByWatermark)
  const watermarks = query.recentProgress.map((each) => ({ eventTime: each.eventTime, late: late(each) }))
  return { rows, watermarks, plan: await query.explain() }
}
