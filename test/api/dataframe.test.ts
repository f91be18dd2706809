import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DataFrame } from '../../src/api/dataframe.ts'
import { type ColumnOrName, coalesce, col, expr, lit } from '../../src/api/functions.ts'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { multiset } from '../support/oracle.ts'

const COLUMNS = { id: 'INTEGER', page: 'VARCHAR', price: 'DOUBLE', seen: 'BOOLEAN' }
const ROWS: readonly Row[] = [
  { id: 1, page: 'home', price: 1.5, seen: true },
  { id: 2, page: null, price: Number.NaN, seen: null },
  { id: 3, page: 'cart', price: null, seen: false },
  { id: null, page: null, price: null, seen: null },
]
const NAN = Number.NaN

describe('a DataFrame', () => {
  let session: Session
  let table: DataFrame
  let queries = 0

  before(async () => {
    session = await Session.create({ log: silentLogger })
    await session.run(
      "CREATE TABLE clicks AS FROM (VALUES (1, 'home', 1.5::DOUBLE, true), (2, NULL, 'nan', NULL), (3, 'cart', NULL, false), (NULL, NULL, NULL, NULL)) AS t(id, page, price, seen)",
    )
    table = session.sql('FROM clicks')
  })
  after(() => session.close())

  /** The rows over a table, which must be those over a stream; every third time, for a stream takes a query. */
  const rowsOf = async (verb: (frame: DataFrame) => DataFrame): Promise<Row[]> => {
    const rows = await verb(table).collect()
    if (queries++ % 3 > 0) return rows
    const stream = new MemoryStream(COLUMNS, { batchRows: () => 3 })
    stream.add(...ROWS)
    const name = `clicks_${queries}`
    const frame = verb(session.readStream.format(stream).load())
    const query = await frame.writeStream
      .format('memory')
      .queryName(name)
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    const text = (each: readonly Row[]) =>
      multiset(
        each.map((row) =>
          Object.fromEntries(
            Object.entries(row).map(([key, value]) => [key, Number.isNaN(value) ? 'NaN' : value]),
          ),
        ),
      )
    assert.deepEqual(text(await session.sql(`FROM ${name}`).collect()), text(rows))
    return rows
  }

  test('adds, replaces and renames several columns at once', async () => {
    const [first] = await rowsOf((frame) =>
      frame
        .withColumns({ ID: col('id').plus(1), twice: col('id').multiply(2) })
        .withColumnsRenamed({ Page: 'site', nothing: 'x' }),
    )
    assert.deepEqual(first, { id: 2, site: 'home', price: 1.5, seen: true, twice: 2 })
    const [renamed] = await rowsOf((frame) =>
      frame
        .select('id', 'page')
        .toDF('a', 'b c')
        .transform((each) => each.where(col('a').equalTo(1))),
    )
    assert.deepEqual(renamed, { a: 1, 'b c': 'home' })
    await assert.rejects(table.toDF('a').collect(), /toDF has 1 names for 4 columns/)
  })

  test('drops rows with missing values as Spark does', async () => {
    const ids = async (options: Parameters<DataFrame['dropna']>[0]) =>
      (await rowsOf((frame) => frame.na.drop(options))).map((row) => row['id'])
    assert.deepEqual(await ids({}), [1])
    assert.deepEqual(await ids({ how: 'all' }), [1, 2, 3])
    assert.deepEqual(await ids({ thresh: 2 }), [1, 3])
    assert.deepEqual(await ids({ subset: ['PAGE'] }), [1, 3])
    assert.deepEqual(await ids({ how: 'all', subset: ['page', 'price'] }), [1, 3])
    await assert.rejects(table.dropna({ subset: ['pages'] }).collect(), /no column 'pages'.*page/)
  })

  test('fills missing values as Spark does', async () => {
    const last = async (fill: Parameters<DataFrame['fillna']>[0], subset?: string[]) => {
      const rows = await rowsOf((frame) => frame.na.fill(fill, subset))
      return [rows[1], rows[3]]
    }
    assert.deepEqual(await last(7.9), [
      { id: 2, page: null, price: 7.9, seen: null },
      { id: 8, page: null, price: 7.9, seen: null },
    ])
    assert.deepEqual(await last('none'), [
      { id: 2, page: 'none', price: NAN, seen: null },
      { id: null, page: 'none', price: null, seen: null },
    ])
    assert.deepEqual(await last(false), [
      { id: 2, page: null, price: NAN, seen: false },
      { id: null, page: null, price: null, seen: false },
    ])
    assert.deepEqual(await last(0, ['id']), [
      { id: 2, page: null, price: NAN, seen: null },
      { id: 0, page: null, price: null, seen: null },
    ])
    assert.deepEqual(await last({ Page: 'x', price: 1 }), [
      { id: 2, page: 'x', price: 1, seen: null },
      { id: null, page: 'x', price: 1, seen: null },
    ])
  })

  test('unites by name', async () => {
    const other = (frame: DataFrame) => frame.where('id = 1').select(lit(9).as('ID'), lit('x').as('extra'))
    await assert.rejects(table.unionByName(other(table)).collect(), /only one side has the column 'page'/)
    const rows = await rowsOf((frame) =>
      frame.where('id = 3').unionByName(other(frame), { allowMissingColumns: true }),
    )
    assert.deepEqual(rows, [
      { id: 3, page: 'cart', price: null, seen: false, extra: null },
      { id: 9, page: null, price: null, seen: null, extra: 'x' },
    ])
    assert.equal((await table.unionAll(table).collect()).length, 8)
  })

  test('orders with NULLs where Spark has them', async () => {
    const ids = async (...columns: readonly ColumnOrName[]) =>
      (await table.sort(...columns).collect()).map((row) => row['id'])
    assert.deepEqual(await ids('id'), [null, 1, 2, 3])
    assert.deepEqual(await ids(col('id').desc()), [3, 2, 1, null])
    assert.deepEqual(await ids(col('id').ascNullsLast()), [1, 2, 3, null])
    assert.deepEqual(await ids(col('id').descNullsFirst()), [null, 3, 2, 1])
    assert.deepEqual(await ids(expr('id desc')), [3, 2, 1, null])
    assert.deepEqual(await ids(coalesce('id', lit(2)), col('id').desc()), [1, 2, null, 3])
    assert.deepEqual(await table.sort(col('id').desc()).first(), {
      id: 3,
      page: 'cart',
      price: null,
      seen: false,
    })
    assert.deepEqual(await table.columns(), Object.keys(COLUMNS))
    assert.deepEqual((await table.groupBy().max('id', 'price').collect())[0], {
      'max(id)': 3,
      'max(price)': NAN,
    })
    assert.deepEqual((await table.groupBy().sum('id').collect())[0], { 'sum(id)': 6n })
    assert.deepEqual((await table.groupBy('page').avg('id').where("page = 'home'").collect())[0], {
      page: 'home',
      'avg(id)': 1,
    })
  })

  test('has columns with the methods of Spark and their NULLs', async () => {
    const [x, nothing, s] = [lit(7), lit(null).cast('INTEGER'), lit('a_b')]
    const cases: readonly (readonly [ReturnType<typeof lit>, unknown])[] = [
      [x.divide(2), 3.5],
      [x.divide(0), null],
      [x.divide(lit(0)), null],
      [x.cast('DOUBLE').mod(lit(0)), null],
      [lit(-7).mod(3), -1],
      [x.eqNullSafe(nothing), false],
      [nothing.eqNullSafe(null), true],
      [x.equalTo(nothing), null],
      [x.between(7, 9), true],
      [x.isin(1, 7), true],
      [nothing.isin(1), null],
      [s.like('a\\_b'), true],
      [lit('axb').like('a\\_b'), false],
      [lit('axb').like('a_b'), true],
      [s.ilike('A%'), true],
      [s.rlike('_'), true],
      [s.substr(2, 1), '_'],
      [s.substr(0, 2), 'a_'],
      [s.substr(-1, 5), 'b'],
      [x.bitwiseAND(3), 3],
      [x.bitwiseOR(8), 15],
      [x.bitwiseXOR(2), 5],
      [lit(NAN).isNaN(), true],
      [nothing.cast('DOUBLE').isNaN(), false],
      [s.tryCast('INTEGER'), null],
      [expr('[1, 2]').getItem(0), 1],
      [expr('[1, 2]').getItem(-2), null],
      [expr("{'f': 5}").getField('f'), 5],
      [expr("MAP {'k': 3}").getItem('k'), 3],
      [nothing.isNull(), true],
      [s.startsWith('a'), true],
      [s.contains(nothing.cast('VARCHAR')), null],
    ]
    const [row] = await table
      .limit(1)
      .select(...cases.map(([column], index) => column.as(`c${index}`)))
      .collect()
    assert.deepEqual(
      Object.values(row ?? {}).map((value, index) => [cases[index]?.[0].sql, value]),
      cases.map(([{ sql }, expected]) => [sql, expected]),
    )
  })
})
