import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Column } from '../../src/api/column.ts'
import type { DataFrame } from '../../src/api/dataframe.ts'
import {
  avg,
  col,
  count,
  expr,
  grouping,
  hop,
  lit,
  max,
  min,
  sessionWindow,
  sum,
  tumble,
  when,
  window,
  windowTime,
} from '../../src/api/functions.ts'
import { Session } from '../../src/api/session.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

describe('a query in SQL and as a DataFrame', () => {
  let session: Session
  let clicks: DataFrame

  before(async () => {
    session = await Session.create({ log: silentLogger })
    await session.run("CREATE TABLE names AS SELECT 1 AS id, 'x' AS label")
    const stream = new MemoryStream(
      {
        userId: 'BIGINT',
        page: 'VARCHAR',
        price: 'DECIMAL(10,2)',
        at: 'TIMESTAMP',
        tags: 'VARCHAR[]',
        data: 'BLOB',
      },
      { name: 'clicks' },
    )
    clicks = session.readStream.format(stream).load()
    clicks.createOrReplaceTempView('clicks')
    session.table('clicks').where('userId > 0').createOrReplaceTempView('known')
  })

  after(() => session.close())

  const SAME: readonly [string, string, () => DataFrame][] = [
    ['projection', 'SELECT page, price FROM clicks', () => clicks.select('page', col('price'))],
    ['filter', 'SELECT * FROM clicks WHERE userId > 10', () => clicks.where(col('userId').gt(10))],
    ['filter in SQL', 'SELECT * FROM clicks c WHERE c.userId > 10', () => clicks.filter('userId > 10')],
    [
      'arithmetic and names',
      "SELECT (price * 2) + 1 AS cost, page = 'home' FROM clicks",
      () => clicks.select(col('price').multiply(2).plus(1).as('cost'), col('page').equalTo('home')),
    ],
    [
      'conditions',
      "SELECT * FROM clicks WHERE (page LIKE 'h%' AND userId IS NOT NULL) OR NOT (userId IN (1, 2))",
      () =>
        clicks.where(
          col('page').like('h%').and(col('userId').isNotNull()).or(col('userId').isin(1, 2).not()),
        ),
    ],
    [
      'CASE',
      "SELECT CASE WHEN price > 9 THEN 'a' WHEN price > 5 THEN 'b' ELSE 'c' END AS k FROM clicks",
      () => clicks.select(when(col('price').gt(9), 'a').when(col('price').gt(5), 'b').otherwise('c').as('k')),
    ],
    [
      'aggregation',
      'SELECT page, count(*) AS views, sum(price) AS total, avg(userId), min(at), max(at) FROM clicks GROUP BY page',
      () =>
        clicks
          .groupBy('page')
          .agg(count().as('views'), sum('price').as('total'), avg('userId'), min('at'), max(col('at'))),
    ],
    [
      'aggregation by an expression',
      'SELECT lower(page) AS p, count(*) AS n FROM clicks GROUP BY lower(page)',
      () => clicks.groupBy(expr('lower(page)').as('p')).agg(count().as('n')),
    ],
    [
      'aggregation by a name of the select list',
      'SELECT lower(page) AS p, count(*) AS n FROM clicks GROUP BY p',
      () => clicks.groupBy(expr('lower(page)').as('p')).agg(count().as('n')),
    ],
    [
      'tumbling windows',
      "SELECT tumble(at, '1 minute') AS window, count(*) AS n FROM clicks GROUP BY 1",
      () => clicks.groupBy(tumble('at', '1 minute').as('window')).agg(count().as('n')),
    ],
    [
      'hopping windows in two orders of arguments',
      "SELECT hop(at, '5 seconds', '1 minute', '2 seconds') AS w, count(*) AS n FROM clicks GROUP BY w",
      () => clicks.groupBy(window('at', '1 minute', '5 seconds', '2 seconds').as('w')).agg(count().as('n')),
    ],
    [
      'hopping windows',
      "SELECT window(at, '1 minute', '5 seconds') AS w, count(*) AS n FROM clicks GROUP BY w",
      () => clicks.groupBy(hop('at', '5 seconds', '1 minute').as('w')).agg(count().as('n')),
    ],
    [
      'the fields of a window',
      "SELECT window(at, '1 minute').start AS s, count(*) AS n FROM clicks GROUP BY s",
      () => clicks.groupBy(expr("window(at, '1 minute').start").as('s')).agg(count().as('n')),
    ],
    [
      'sessions',
      "SELECT session_window(at, '5 seconds') AS s, page, count(*) AS n FROM clicks GROUP BY s, page",
      () => clicks.groupBy(sessionWindow('at', '5 seconds').as('s'), 'page').agg(count().as('n')),
    ],
    [
      'windows of windows',
      "SELECT tumble(window_time(w), '1 hour') AS h, sum(n) AS n FROM (SELECT tumble(at, '1 minute') AS w, count(*) AS n FROM clicks GROUP BY w) GROUP BY h",
      () =>
        clicks
          .groupBy(tumble('at', '1 minute').as('w'))
          .agg(count().as('n'))
          .groupBy(tumble(windowTime('w'), '1 hour').as('h'))
          .agg(sum('n').as('n')),
    ],
    [
      'rollup',
      'SELECT page, grouping(page) AS g, count(*) AS n FROM clicks GROUP BY ROLLUP (page)',
      () => clicks.rollup('page').agg(grouping('page').as('g'), count().as('n')),
    ],
    [
      'cube',
      'SELECT page, userId, count(*) AS n FROM clicks GROUP BY CUBE (page, userId)',
      () => clicks.cube('page', col('userId')).agg(count().as('n')),
    ],
    [
      'aggregation above filter and projection',
      'SELECT w, count(*) AS count FROM (SELECT unnest(tags) AS w FROM clicks WHERE userId > 0) GROUP BY 1',
      () => clicks.where('userId > 0').selectExpr('unnest(tags) AS w').groupBy('w').count(),
    ],
    ['view of a view', 'SELECT page FROM known', () => clicks.where('userId > 0').select('page')],
    [
      'common table',
      'WITH k AS (FROM clicks WHERE userId > 0) SELECT page FROM k',
      () => clicks.where('userId > 0').select('page'),
    ],
    [
      'join of streams',
      'SELECT * FROM clicks c JOIN known k ON c.userId = k.userId',
      () => clicks.as('c').join(session.table('known').as('k'), expr('c.userId = k.userId')),
    ],
    [
      'join as of a time',
      'SELECT * FROM clicks c ASOF LEFT JOIN clicks d ON c.page = d.page AND c.at >= d.at',
      () => clicks.as('c').join(clicks.as('d'), expr('c.page = d.page AND c.at >= d.at'), 'asof_left'),
    ],
    [
      'join by columns, by a name of Spark',
      'SELECT * FROM clicks c SEMI JOIN known k USING ("userId", "at")',
      () => clicks.as('c').join(session.table('known').as('k'), ['userId', 'at'], 'left_semi'),
    ],
    [
      'union',
      'SELECT page FROM clicks UNION ALL SELECT page FROM known',
      () => clicks.select('page').union(clicks.where('userId > 0').select('page')),
    ],
    [
      'added column',
      'SELECT *, price + 1 AS more FROM clicks',
      () => clicks.withColumn('more', col('price').plus(1)),
    ],
    [
      'replaced column',
      'SELECT * REPLACE (upper(page) AS page) FROM clicks',
      () => clicks.withColumn('PAGE', expr('upper(page)')),
    ],
    [
      'dropped columns',
      'SELECT * EXCLUDE (price, tags) FROM clicks',
      () => clicks.drop('Tags', 'price', 'nothing'),
    ],
    [
      'literal',
      "SELECT 'it''s' AS s, NULL AS n, true AS b FROM clicks",
      () => clicks.select(lit("it's").as('s'), lit(null).as('n'), lit(true).as('b')),
    ],
    [
      'order and limit',
      'SELECT page, count(*) AS n FROM clicks GROUP BY page ORDER BY n DESC LIMIT 3',
      () => clicks.groupBy('page').agg(count().as('n')).orderBy(col('n').desc()).limit(3),
    ],
  ]

  for (const [name, sql, build] of SAME) {
    test(`is the same plan: ${name}`, async () => {
      const [fromSql, fromDataFrame] = await Promise.all([session.sql(sql).explain(), build().explain()])
      // A sort and its limit stand in one node from SQL and in two from two calls.
      assert.equal(
        fromDataFrame.replace(
          /^Arrange LIMIT 3\n {2}(Arrange .*)((?:\n.*)*)$/,
          (_, head: string, rest: string) => `${head} LIMIT 3${rest.replaceAll('\n  ', '\n')}`,
        ),
        fromSql,
      )
      assert.deepEqual(await build().schema(), await session.sql(sql).schema())
    })
  }

  test('names columns as plain DuckDB does', async () => {
    const names = async (frame: DataFrame) => (await frame.schema()).map((field) => field.name)
    const items = "count(*), sum(price) + 1, 'it''s', max(\"at\"), page"
    await session.run(
      'CREATE TABLE same_clicks (userId BIGINT, page VARCHAR, price DECIMAL(10,2), "at" TIMESTAMP)',
    )
    assert.deepEqual(
      await names(session.sql(`SELECT ${items} FROM clicks GROUP BY page`)),
      await names(session.sql(`SELECT ${items} FROM same_clicks GROUP BY page`)),
    )
  })

  test('a view keeps its meaning when its name is given to another one', async () => {
    clicks.select('page').createOrReplaceTempView('changing')
    const before = session.sql('SELECT * FROM changing')
    clicks.select('userId').createOrReplaceTempView('changing')
    assert.deepEqual(
      (await before.schema()).map((field) => field.name),
      ['page'],
    )
  })

  test('the text of a payload is its UTF-8 text', async () => {
    assert.match(
      await session.sql('SELECT CAST(data AS STRING) AS text FROM clicks').explain(),
      /text_of\("data"\) AS text/,
    )
    assert.match(
      await clicks.select(col('data').cast('STRING').as('text')).explain(),
      /text_of\("data"\) AS text/,
    )
  })

  test('what a name stands for must be there', async () => {
    await assert.rejects(
      session.sql('SELECT nope FROM clicks').explain(),
      (error) => hasCode(error, 'SQL_INVALID') && /nope/.test(error.message),
    )
    await assert.rejects(session.sql('SELECT * FROM nowhere').explain(), (error) =>
      hasCode(error, 'SQL_INVALID'),
    )
    await assert.rejects(clicks.select('nope').schema(), (error) => hasCode(error, 'SQL_INVALID'))
    await assert.rejects(clicks.where('page = ').schema(), (error) => hasCode(error, 'SQL_SYNTAX'))
    assert.throws(
      () => session.table('click'),
      (error) => hasCode(error, 'VIEW_UNKNOWN') && /did you mean 'clicks'/.test(error.message),
    )
  })

  test('a stream is told from a table', async () => {
    assert.equal(clicks.isStreaming, true)
    assert.equal(session.sql('SELECT label FROM names').isStreaming, false)
    assert.equal(session.sql("SELECT 'clicks' AS s FROM names -- clicks").isStreaming, false)
    assert.deepEqual(await session.sql('SELECT label FROM names').collect(), [{ label: 'x' }])
    await assert.rejects(clicks.collect(), (error) => hasCode(error, 'IS_STREAMING'))
    await assert.rejects(session.sql('SELECT * FROM names').writeStream.format('console').start(), (error) =>
      hasCode(error, 'NOT_STREAMING'),
    )
  })

  test('a join is of one of the kinds that there are', () => {
    const join = (kind: string) => clicks.join(clicks.as('d'), 'page', kind as 'inner')
    for (const kind of ['inner', 'LEFT', 'leftouter', 'full_outer', 'outer', 'leftanti', 'asof']) join(kind)
    assert.throws(() => join('sideways'), { code: 'OPTION_INVALID', message: /one of inner, left/ })
  })

  test('data does not become SQL text', () => {
    assert.equal(lit("'; DROP TABLE names; --").sql, "'''; DROP TABLE names; --'")
    assert.equal(col('a"b').sql, '"a""b"')
    assert.equal(col('`a.b`.c').sql, '"a.b"."c"')
    assert.ok(Object.isFrozen(new Column('a')))
  })
})
