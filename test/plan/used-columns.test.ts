import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { multiset } from '../support/oracle.ts'

const FIELDS = {
  id: 'BIGINT',
  page: 'VARCHAR',
  tags: 'VARCHAR[]',
  at: 'TIMESTAMP',
  spot: 'STRUCT(x BIGINT, page VARCHAR)',
}

/** Every way to mean a column, over the stream `events` with the table `pages (page, title)` beside it. */
const QUERIES = [
  'SELECT * FROM events',
  'SELECT e.* FROM events AS e',
  'SELECT * EXCLUDE (data) FROM events',
  'SELECT * REPLACE (id + 1 AS id) FROM events',
  "SELECT COLUMNS('i|p') FROM events",
  'SELECT e FROM events AS e',
  'SELECT events AS e FROM events',
  'SELECT count(*) AS n FROM events',
  'SELECT 1 AS one FROM events',
  'SELECT "ID", "Page" FROM events WHERE at IS NOT NULL',
  'SELECT id FROM events WHERE "shardId" = \'shard-0\'',
  'SELECT spot.x, spot FROM events',
  'SELECT e.spot.page FROM events AS e',
  'SELECT #1 AS a, #4 AS b FROM events',
  "SELECT list_transform(tags, lambda page: page || '!') AS t FROM events",
  'SELECT a.i, a.s FROM (SELECT id AS i, "sequenceNumber" AS s FROM events) AS a',
  'SELECT n FROM (SELECT * FROM events) AS a(a, b, c, n, p, t, m, x)',
  'SELECT f FROM events AS a(f)',
  'SELECT id, title FROM events JOIN pages USING (page)',
  'SELECT title, spot.x FROM events NATURAL JOIN pages',
  'SELECT e.id, p.title FROM events AS e LEFT JOIN pages AS p ON e.page = p.page AND e.id > 1',
  'SELECT id, (SELECT max(title) FROM pages AS p(k, title) WHERE p.k = events.page) AS t FROM events',
  'SELECT id FROM events WHERE page IN (SELECT page FROM pages)',
  'SELECT id, u.tag FROM events, unnest(tags) AS u(tag)',
  'SELECT DISTINCT page FROM events',
  'SELECT page, count(*) AS n, max(at) AS latest FROM events GROUP BY page',
  'SELECT page, count(*) AS n FROM events GROUP BY ALL',
  'SELECT id, page FROM events QUALIFY row_number() OVER (PARTITION BY page ORDER BY id) <= 1',
  'SELECT id, page FROM events UNION ALL SELECT id + 100, spot.page FROM events',
  'FROM events SELECT page, at',
  'WITH w AS (SELECT * FROM events) SELECT id, page FROM w',
] as const

describe('columns that a query does not use are not kept', () => {
  let session: Session

  before(async () => {
    session = await Session.create({ log: silentLogger })
    const stream = new MemoryStream({ data: 'BLOB', shardId: 'VARCHAR', sequenceNumber: 'VARCHAR' })
    const records = [
      { id: 1, page: 'a', tags: ['x', 'y'], at: '2024-01-01T00:00:00Z', spot: { x: 7, page: 'b' } },
      { id: 2, page: 'b', tags: [], at: '2024-01-01T00:00:01Z', spot: { x: 8, page: 'a' } },
      { id: 3, page: 'a', tags: ['z'], at: null, spot: null },
    ]
    for (const [index, record] of records.entries())
      stream.add({
        data: Buffer.from(JSON.stringify(record)),
        shardId: 'shard-0',
        sequenceNumber: String(index),
      })
    session.readStream.format(stream).schema(FIELDS).load().createOrReplaceTempView('events')
    await session.run("CREATE TABLE pages AS FROM (VALUES ('a', 'Apple'), ('b', 'Bee')) AS v(page, title)")
    // All columns of the stream, as a table for the same queries.
    const all = await session
      .sql('SELECT * FROM events')
      .writeStream.format('memory')
      .queryName('all_events')
      .trigger({ once: true })
      .start()
    await all.awaitTermination()
  })

  after(() => session.close())

  for (const sql of QUERIES) {
    test(sql, async () => {
      const got: Row[] = []
      const mode = /GROUP BY|count|QUALIFY|DISTINCT/.test(sql) ? 'update' : 'append'
      const query = await session
        .sql(sql)
        .writeStream.outputMode(mode)
        .trigger({ once: true })
        .foreachBatch(async (batch) => void got.push(...(await batch.toObjects())))
        .start()
      await query.awaitTermination()
      const expected = await session.sql(sql.replaceAll(/\bevents\b/g, 'all_events')).collect()
      assert.deepEqual(multiset(got), multiset(expected))
    })
  }
})
