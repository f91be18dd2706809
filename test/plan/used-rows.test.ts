import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { multiset } from '../support/oracle.ts'

const FIELDS = { id: 'BIGINT', page: 'VARCHAR', at: 'TIMESTAMP', spot: 'STRUCT(x BIGINT, page VARCHAR)' }

/** What the parsing leaves out, as `explain` shows it; undefined where all rows have to come. */
const QUERIES: readonly (readonly [sql: string, condition: string | undefined])[] = [
  ["SELECT id FROM events WHERE page = 'a'", `((page = 'a'))`],
  ["SELECT id FROM events WHERE page <> 'a' AND id > 1", `((page != 'a')) AND ((id > 1))`],
  [
    `SELECT id FROM events AS e WHERE e."PAGE" IN ('a', 'c') OR e.id IS NULL`,
    `(((PAGE IN ('a', 'c')) OR (id IS NULL)))`,
  ],
  [
    "SELECT * FROM events WHERE page LIKE 'a%' AND NOT id BETWEEN 2 AND 3",
    `((page ~~ 'a%')) AND ((NOT (id BETWEEN 2 AND 3)))`,
  ],
  [`SELECT id FROM events WHERE "shardId" = 'shard-0'`, `((shardId = 'shard-0'))`],
  ['SELECT page, count(*) AS n FROM events WHERE id <> 2 GROUP BY page', '((id != 2))'],
  [
    "SELECT title FROM events AS e JOIN pages AS p ON e.page = p.page WHERE e.id < 3 AND p.title <> 'Bee' AND title IS NOT NULL",
    '((id < 3))',
  ],
  [
    'SELECT id, title FROM events AS e LEFT JOIN pages AS p ON e.page = p.page WHERE id < 3 AND p.title IS NULL',
    '((id < 3))',
  ],
  ['SELECT id FROM (SELECT * FROM events WHERE id > 1) AS x WHERE id < 3', '((id > 1)) AND ((id < 3))'],
  ['SELECT id FROM (SELECT length(page) AS id FROM events WHERE id > 1) AS x WHERE id = 1', '((id > 1))'],
  // Fails, changes, or costs.
  ["SELECT id FROM events WHERE CAST(page AS BIGINT) IS NULL AND page > '~'", `((page > '~'))`],
  ['SELECT id FROM events WHERE random() < 2', undefined],
  ["SELECT id FROM events WHERE upper(page) = 'A'", undefined],
  ['SELECT id FROM events WHERE page IN (SELECT page FROM pages)', undefined],
  // A column or a field of it.
  ['SELECT id FROM events WHERE spot.x = 7', undefined],
  ['SELECT s.id FROM events AS s(data, shard, number, id) WHERE id = 2', undefined],
  // The rows are seen by others, too.
  ["SELECT id FROM events WHERE page = 'a' UNION ALL SELECT id FROM events WHERE id = 3", undefined],
  [
    'WITH w AS (SELECT * FROM events WHERE id > 1) SELECT a.id FROM w AS a UNION ALL SELECT id FROM w WHERE id < 3',
    undefined,
  ],
  ['SELECT id, page FROM events QUALIFY row_number() OVER (PARTITION BY page ORDER BY id) <= 1', undefined],
]

const RECORDS = [
  '{"id":1,"page":"a","at":"2024-01-01T00:00:00Z","spot":{"x":7,"page":"b"}}',
  '{"id":2,"page":"b","at":"2024-01-01T00:00:01Z","spot":{"x":8,"page":"a"}}',
  '{"id":3,"page":"a"}',
  '{"id":4,"page":"c"}',
  '{}',
  '{"id":"5","page":"a"}',
  'no object',
]

describe('rows that a query does not look at are not kept', () => {
  let session: Session
  let stream: MemoryStream

  before(async () => {
    session = await Session.create({ log: silentLogger })
    await session.run("CREATE TABLE pages AS FROM (VALUES ('a', 'Apple'), ('b', 'Bee')) AS v(page, title)")
  })

  after(() => session.close())

  /** The stream as the view `events`, and all its rows as the table `all_events`. */
  async function read(mode: string): Promise<void> {
    stream = new MemoryStream({ data: 'BLOB', shardId: 'VARCHAR', sequenceNumber: 'VARCHAR' })
    for (const [index, record] of RECORDS.entries()) {
      const sequenceNumber = String(index)
      stream.add({ data: Buffer.from(record), shardId: `shard-${index % 2}`, sequenceNumber })
    }
    const reader = session.readStream.format(stream).option('mode', mode).schema(FIELDS)
    reader.load().createOrReplaceTempView('events')
    const all = await session
      .sql('SELECT * FROM events')
      .writeStream.format('memory')
      .queryName(`all_${mode}`)
      .trigger({ once: true })
      .start()
    await all.awaitTermination()
  }

  for (const mode of ['PERMISSIVE', 'DROPMALFORMED']) {
    describe(`in mode ${mode}`, () => {
      before(() => read(mode))

      for (const [sql, condition] of QUERIES) {
        test(sql, async () => {
          const outputMode = /GROUP BY|QUALIFY/.test(sql) ? 'update' : 'append'
          const got: Row[] = []
          const query = await session
            .sql(sql)
            .writeStream.outputMode(outputMode)
            .trigger({ once: true })
            .foreachBatch(async (batch) => void got.push(...(await batch.toObjects())))
            .start()
          await query.awaitTermination()
          const expected = await session.sql(sql.replaceAll(/\bevents\b/g, `all_${mode}`)).collect()
          assert.deepEqual(multiset(got), multiset(expected))
          assert.equal(query.lastProgress?.sources[0]?.metrics['malformedRecords'], 2)
          const [, found] = /^parse.* IS NULL THEN (.*) ELSE true END$/m.exec(await query.explain()) ?? []
          assert.equal(found, condition)
        })
      }
    })
  }
})
