import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

describe('from_json', () => {
  let session: Session

  before(async () => {
    session = await Session.create({ log: silentLogger })
    await session.run(`CREATE TABLE texts AS FROM (VALUES
      (1, ' {"n":1,"l":["x"]}'), (2, '{"n":1.5,"l":["y",null]}'), (3, 'nope'), (4, NULL), (5, '{"n":9223372036854775808}')) AS t(i, j)`)
  })

  after(() => session.close())

  const collect = (sql: string) => session.sql(sql).collect()

  test('takes a schema as Spark writes it, and gives NULL where DuckDB would fail or round', async () => {
    assert.deepEqual(
      await collect("SELECT from_json(j, 'n BIGINT, l ARRAY<STRING>') AS v FROM texts ORDER BY i"),
      [
        { v: { n: 1n, l: ['x'] } },
        { v: { n: null, l: ['y', null] } },
        { v: null },
        { v: null },
        { v: { n: null, l: null } },
      ],
    )
  })

  test('takes a list or a map as a whole', async () => {
    assert.deepEqual(
      await collect(
        `SELECT from_json('[{"a":1},{"a":"x"}]', 'ARRAY<STRUCT<a: INT>>') AS l, from_json('{"k":1}', 'MAP<STRING, INT>') AS m`,
      ),
      [{ l: [{ a: 1 }, { a: null }], m: [{ key: 'k', value: 1 }] }],
    )
  })

  test('leaves columns the names that they have without it', async () => {
    const schema = await session
      .sql(
        "SELECT from_json(j, 'n INT'), from_json(j, 'n INT').n, upper(from_json(from_json(j, 'j STRING').j, 'k STRING').k) FROM texts",
      )
      .schema()
    assert.deepEqual(schema, [
      { name: "from_json(j, 'n INT')", type: 'STRUCT(n INTEGER)' },
      { name: "(from_json(j, 'n INT')).n", type: 'INTEGER' },
      { name: "upper((from_json((from_json(j, 'j STRING')).j, 'k STRING')).k)", type: 'VARCHAR' },
    ])
  })

  test("leaves DuckDB's own form alone, and takes what schema_of_json says", async () => {
    assert.deepEqual(
      await collect(
        `SELECT from_json('{"a":1}', '{"a":"INTEGER"}') AS d, from_json('{"a":2}', schema_of_json('{"a":0}')) AS s`,
      ),
      [{ d: { a: 1 }, s: { a: 2n } }],
    )
  })

  for (const schema of ['BIGINT', 'a', 'a NUMBER', 'a INTERVAL', '']) {
    test(`refuses the schema '${schema}'`, async () => {
      await assert.rejects(collect(`SELECT from_json(j, '${schema}') FROM texts`), (error) =>
        hasCode(error, 'SQL_INVALID'),
      )
    })
  }

  test('reads the bytes of a stream and survives what is no text', async () => {
    const stream = new MemoryStream({ data: 'BLOB' })
    stream.add(
      { data: Buffer.from('{"k":"é","n":1}') },
      { data: Buffer.from('{"k":"é","n":2}') },
      { data: Buffer.from([0xff]) },
    )
    session.readStream.format(stream).load().createOrReplaceTempView('events')
    const query = await session
      .sql(
        "SELECT v.k, sum(v.n) AS n FROM (SELECT from_json(data, 'k STRING, n INT') AS v FROM events) GROUP BY v.k",
      )
      .writeStream.outputMode('complete')
      .format('memory')
      .queryName('sums')
      .trigger({ once: true })
      .start()
    await query.awaitTermination()
    assert.deepEqual(await collect('SELECT k, n::INTEGER AS n FROM sums ORDER BY k'), [
      { k: 'é', n: 3 },
      { k: null, n: null },
    ])
  })
})
