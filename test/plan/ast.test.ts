import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Connection, Database } from '../../src/duckdb.ts'
import {
  call,
  column,
  isBareStar,
  isCast,
  isFunction,
  isSelect,
  type SelectQuery,
  star,
} from '../../src/plan/ast.ts'
import { SqlText } from '../../src/plan/sql.ts'

/** Holds the parts of DuckDB's tree that the engine looks into against the pinned version. */
describe("DuckDB's tree", () => {
  let database: Database
  let connection: Connection
  let sql: SqlText

  before(async () => {
    database = await Database.open()
    connection = await database.connect()
    sql = new SqlText(connection)
  })

  after(() => {
    connection.close()
    database.close()
  })

  const select = async (text: string): Promise<SelectQuery> => {
    const query = await sql.parse(text)
    assert.ok(isSelect(query))
    return query
  }

  test('printing and parsing again gives the same tree', async () => {
    const texts = [
      'SELECT a + 1 AS b, count(*) FILTER (WHERE x > 1), sum(DISTINCT y) FROM t AS u WHERE a IN (1, 2) AND b IS NOT NULL GROUP BY a HAVING count(*) > 2 ORDER BY 1 DESC NULLS LAST LIMIT 3',
      "SELECT 9223372036854775807, -170141183460469231731687303715884105727, 10.0::DECIMAL(9,1), 1.50, '1234567890123456789'",
      "SELECT [x, y], {'a': 1}, MAP {'k': 2}, list_transform(l, v -> v + 1), s.f.g, t.* FROM t",
      'WITH a(x) AS (SELECT 1), b AS (FROM a) SELECT * EXCLUDE (x) REPLACE (y AS z) FROM b JOIN c USING (k) LEFT JOIN d ON b.i = d.i',
      'SELECT * FROM t, unnest(l) AS u(v) UNION ALL (SELECT * FROM s ORDER BY q)',
      "SELECT CASE WHEN a THEN 'x' ELSE NULL END, CAST(a AS DECIMAL(10,2)), TRY_CAST(b AS INTEGER), INTERVAL 1 DAY, a::TIMESTAMP AT TIME ZONE 'UTC' FROM t",
      'SELECT * FROM t USING SAMPLE 10%',
      "SELECT window(at, '1 minute') AS w, count(*) FROM clicks GROUP BY ALL",
    ]
    for (const text of texts) {
      const tree = await sql.parse(text)
      assert.deepEqual(await sql.parse(await sql.print(tree)), tree, text)
    }
  })

  test('numbers keep their digits and their types on the way through', async () => {
    const text =
      'SELECT 1e5 AS a, 0.1e-7 AS b, 9223372036854775807 AS c, 10.0 AS d, 99999999999999999999 AS e, -1e300 AS f'
    const printed = await sql.print(await sql.parse(text))
    assert.deepEqual(await connection.describe(printed), await connection.describe(text))
    assert.deepEqual(await connection.rows(printed), await connection.rows(text))
  })

  test('nodes made here are those that the parser makes', async () => {
    const { select_list } = await select('SELECT "a b", lower(x), x + y, *')
    assert.deepEqual(select_list[0], column('a b'))
    assert.deepEqual(select_list[1], call('lower', [column('x')]))
    assert.deepEqual(select_list[2], call('+', [column('x'), column('y')], true))
    assert.deepEqual(select_list[3], star)
  })

  test('what the engine asks of nodes is where it looks for it', async () => {
    const query = await select(
      "SELECT *, count(DISTINCT a), CAST(b AS VARCHAR), t.*, COLUMNS('x') FROM t GROUP BY ALL",
    )
    assert.equal(query.aggregate_handling, 'FORCE_AGGREGATES')
    const [all, distinct, cast, ofTable, columns] = query.select_list
    assert.ok(isBareStar(all!) && !isBareStar(ofTable!) && !isBareStar(columns!))
    assert.ok(isFunction(distinct!) && distinct.distinct && distinct.function_name === 'count')
    assert.ok(isCast(cast!) && cast.cast_type.id === 'VARCHAR')
    const sets = await select('SELECT a FROM t GROUP BY GROUPING SETS ((a), (b))')
    assert.deepEqual(sets.group_sets, [[0], [1]])
    assert.equal((await select('SELECT 1 GROUP BY 1')).group_expressions[0]?.class, 'CONSTANT')
  })
})
