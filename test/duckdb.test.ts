import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { arrowType } from '../src/arrow.ts'
import { BytesColumn, Int64Column, recordBatch, type Schema } from '../src/batch.ts'
import { type Connection, Database } from '../src/duckdb.ts'
import { hasCode } from '../src/errors.ts'

describe('duckdb', () => {
  let database: Database
  let connection: Connection

  before(async () => {
    database = await Database.open()
    connection = await database.connect()
  })

  after(() => {
    connection.close()
    database.close()
  })

  test('a core is left to JavaScript, where there is more than one', async () => {
    const plain = await (await DuckDBInstance.create(':memory:')).connect()
    const threads = "SELECT current_setting('threads')"
    const all = Number((await (await plain.run(threads)).getRowsJS())[0]?.[0])
    assert.equal(Number(await connection.value(threads)), Math.max(1, all - 1))
    plain.closeSync()
  })

  test('the first of a partition is the first, also where the order has NULLs', async () => {
    // Not with DuckDB's optimizer top_n_window_elimination.
    const values = "(VALUES (0, NULL, 3), (0, 'c', 7), (0, 'a', 5)) t(p, k, i)"
    const ranked = `SELECT *, row_number() OVER (PARTITION BY p ORDER BY k DESC) AS r FROM ${values}`
    const first = await connection.rows(`SELECT k, i FROM (${ranked}) WHERE r = 1`)
    assert.deepEqual(first, [{ k: 'c', i: 7 }])
  })

  test('every type survives the way out to Arrow and back in', async () => {
    const select = `
      SELECT i % 3 = 0 AS b, i::TINYINT AS i1, (i * 10)::SMALLINT AS i2, i::INTEGER AS i4, i::BIGINT AS i8,
        i::UBIGINT AS u8, (i::HUGEINT - 5) * 10000000000000000000 AS h, i / 7 AS d, (i / 3)::FLOAT AS f,
        (i * 1.25)::DECIMAL(5, 2) AS m, ((i - 4) * 1.25)::DECIMAL(30, 4) AS mm, 'é' || i AS v, encode('x' || i) AS x,
        DATE '1969-12-30' + i::INTEGER AS day, TIME '10:11:12.123456' AS t, CASE WHEN i % 2 = 0 THEN 'even' END AS half,
        TIMESTAMP '1969-12-31 23:59:59.123456' + INTERVAL (i) SECOND AS ts, TIMESTAMPTZ '2020-01-01 00:00:00.000001Z' AS tz,
        [i, NULL, i + 1] AS l, {'a': i, 'b c': ['q' || i]} AS s, MAP {'k' || i: i} AS mp, NULL::STRUCT(z INTEGER) AS z
      FROM range(5000) r(i) WHERE i < 90 OR i > 4990`
      .replaceAll('i::TINYINT', '(i % 100)::TINYINT')
      .replaceAll('(i * 10)::SMALLINT', '(i % 1000)::SMALLINT')
      .replaceAll('(i * 1.25)', '((i % 100) * 1.25)')
    const schema = await connection.describe(select)
    const table = await connection.arrow(select)
    await connection.attach('back', schema, table.batches)
    assert.deepEqual(await connection.describe('FROM back'), schema)
    const differing = `(${select} EXCEPT ALL FROM back) UNION ALL (FROM back EXCEPT ALL ${select})`
    assert.deepEqual(await connection.rows(differing), [])
    assert.equal(await connection.value('SELECT count(*) FROM back'), 99n)
  })

  test('columns grown byte by byte arrive unchanged across many vectors', async () => {
    const rows = 5000
    const data = new BytesColumn(1, 1)
    const text = new BytesColumn(1, 1)
    const at = new Int64Column(1)
    for (let row = 0; row < rows; row++) {
      if (row % 7 === 0) data.pushNull()
      else data.push(Buffer.from(`bytes ${row}`))
      text.pushText(`ключ ${row}`)
      if (row % 11 === 0) at.pushNull()
      else at.pushMillis(row)
    }
    const schema: Schema = [
      { name: 'data', type: 'BLOB' },
      { name: 'text', type: 'VARCHAR' },
      { name: 'at', type: 'TIMESTAMP' },
    ]
    const columns = [data, text, at].map((column, i) => column.finish(arrowType(schema[i]!.type)))
    const batch = recordBatch(schema, columns)
    await connection.attach('grown', schema, [batch, batch])
    const [seen] = await connection.rows(`
      SELECT count(*) AS n, count(DISTINCT text) AS texts, count(data) AS datas, count("at") AS ats,
        count(*) FILTER (WHERE data = encode('bytes ' || split_part(text, ' ', 2))) AS same,
        count(*) FILTER (WHERE epoch_ms("at") = split_part(text, ' ', 2)::BIGINT) AS timed FROM grown`)
    const nulls = Math.ceil(rows / 7)
    const untimed = Math.ceil(rows / 11)
    assert.deepEqual(seen, {
      n: BigInt(2 * rows),
      texts: BigInt(rows),
      datas: BigInt(2 * (rows - nulls)),
      ats: BigInt(2 * (rows - untimed)),
      same: BigInt(2 * (rows - nulls)),
      timed: BigInt(2 * (rows - untimed)),
    })
  })

  test('one call takes one statement', async () => {
    await connection.run('CREATE TABLE kept (i INTEGER)')
    await assert.rejects(connection.run('SELECT 1; DROP TABLE kept; SELECT 2'), (e) =>
      hasCode(e, 'SQL_MANY_STATEMENTS'),
    )
    assert.equal(await connection.value('SELECT count(*) FROM kept'), 0n)
  })

  test('errors are sorted into codes and do not quote records', async () => {
    await assert.rejects(connection.run('SELEC 1'), (e) => hasCode(e, 'SQL_SYNTAX'))
    await assert.rejects(connection.run('SELECT nope FROM kept'), (e) => hasCode(e, 'SQL_INVALID'))
    await assert.rejects(connection.run("SELECT 'secret word'::INTEGER FROM range(1)"), (e) => {
      assert.ok(hasCode(e, 'SQL_FAILED'))
      assert.doesNotMatch(e.message, /secret/)
      return true
    })
  })
})
