import assert from 'node:assert/strict'
import type { Row } from '../duckdb.ts'
import type { Bench } from './bench.ts'
import { rowsIn, type SinkUnderTest } from './sink-under-test.ts'

/** A check of sinks before it is given one. */
export interface CheckOfSink {
  readonly name: string
  body(bench: Bench, under: SinkUnderTest): Promise<void>
}

const NESTED = `
  SELECT i, CASE WHEN i % 2 = 0 THEN 'é ' || i || chr(10) || '"' END AS s, encode('b' || i) AS b,
    {'x': i, 'l': [i, NULL]} AS nested, MAP {'k': i} AS m, TIMESTAMP '2026-01-01 00:00:00.000001' AS ts,
    (i * 1.25)::DECIMAL(20, 4) AS d, NULL::INTEGER AS nothing, CASE WHEN i = 1 THEN [{'a': 'é', 'b': [true]}] END AS list
  FROM range(3) r(i)`

const EXTREMES = `
  FROM (VALUES
    (0, true, (-128)::TINYINT, (-9223372036854775808)::BIGINT, (-1e38)::FLOAT, 5e-324::DOUBLE, DATE '0001-01-01', TIME '00:00:00',
      TIMESTAMP '1677-09-22 00:12:44', '00000000-0000-0000-0000-000000000000'::UUID),
    (1, false, 127, 9223372036854775807, 1e38, 1.7976931348623157e308, DATE '9999-12-31', TIME '23:59:59.999999',
      TIMESTAMP '9999-12-31 23:59:59.999999', 'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
  ) v(i, truth, tiny, big, single, double, day, clock, moment, id)`

/** What text is apt to be mistaken for, or lost in. */
const TEXTS = `
  SELECT i, s, upper(s) AS "Ünïcode ""name"", with 'marks'" FROM (VALUES
    (0, ''), (1, NULL), (2, 'NULL'), (3, '\\N'), (4, '"'), (5, '"",""'), (6, ' a ,b '), (7, chr(9)),
    (8, chr(13) || chr(10)), (9, chr(1) || chr(31) || chr(127)), (10, '日本語 👩‍👩‍👧 e' || chr(769)),
    (11, chr(8232) || chr(65279) || 'x'), (12, '\\'), (13, '{"a": [1]}'), (14, '#x'), (15, '''')
  ) t(i, s)`

/** Each more than a megabyte. */
const LARGE = `
  SELECT i, CASE i WHEN 0 THEN repeat('é', 500000) END AS text, CASE i WHEN 1 THEN unhex(repeat('00ff7f80', 260000)) END AS bytes,
    CASE i WHEN 2 THEN ['x', repeat('y', 1000000)] END AS list
  FROM range(3) r(i)`

/** What rows may hold, and how many there may be. */
export function rowChecks(manyRows: number): readonly CheckOfSink[] {
  const arrives = (name: string, sql: string): CheckOfSink => ({
    name,
    body: async (bench, under) => {
      const sink = await bench.open(under.format, sql, 'append', under.options)
      await bench.write(sink, 0, sql)
      await sink.close()
      if (!under.contents) return
      const expected = await bench.connection.rows(sql)
      assert.deepEqual(await rowsIn(under, bench.connection), expected)
    },
  })
  return [
    {
      name: 'values of every kind arrive, and no rows are fine',
      body: async (bench, under) => {
        const sink = await bench.open(under.format, NESTED, 'append', under.options)
        await bench.write(sink, 0, `${NESTED} WHERE false`)
        await bench.write(sink, 1, NESTED)
        await bench.write(sink, 2, `${NESTED} WHERE false`)
        await sink.close()
        if (!under.contents) return
        assert.deepEqual(await rowsIn(under, bench.connection), await bench.connection.rows(NESTED))
      },
    },
    arrives('the least and the greatest values arrive', EXTREMES),
    arrives('texts and names that are apt to be mistaken arrive', TEXTS),
    arrives('values of a megabyte arrive', LARGE),
    {
      name: `${manyRows.toLocaleString('en')} rows arrive`,
      body: async (bench, under) => {
        const rows = `SELECT i, 'row ' || i AS s FROM range(${manyRows}) r(i)`
        const sink = await bench.open(under.format, rows, 'append', under.options)
        await bench.write(sink, 0, rows)
        await sink.close()
        if (!under.contents) return
        const total = (BigInt(manyRows) * BigInt(manyRows - 1)) / 2n
        assert.deepEqual(await summary(bench, under), { rows: manyRows, total, sound: manyRows })
      },
    },
  ]
}

/** The number of rows, the sum of their numbers, and how many have the text of their number. */
async function summary(bench: Bench, { contents }: SinkUnderTest): Promise<object> {
  const found = (await contents?.(bench.connection)) ?? []
  if (typeof found !== 'string') return summaryOf(found)
  const sound = `count(*) FILTER (s = 'row ' || i)`
  const [row] = await bench.connection.rows(
    `SELECT count(*) AS rows, sum(i)::BIGINT AS total, ${sound} AS sound FROM (${found})`,
  )
  return { rows: Number(row?.['rows']), total: row?.['total'], sound: Number(row?.['sound']) }
}

function summaryOf(rows: readonly Row[]): object {
  const isSound = ({ i, s }: Row) => s === `row ${i}`
  const total = rows.reduce((sum, { i }) => sum + (i as bigint), 0n)
  return { rows: rows.length, total, sound: rows.filter(isSound).length }
}
