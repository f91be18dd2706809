import assert from 'node:assert/strict'
import { type Connection, Relation, type Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { OptionValue } from '../options.ts'
import type { SinkFormat } from '../sinks/sink.ts'
import { Bench } from './bench.ts'
import type { Check } from './check.ts'

/** A sink to be tested, and how to see what it holds. */
export interface SinkUnderTest {
  readonly format: SinkFormat
  readonly options?: Readonly<Record<string, OptionValue>>
  /** All rows that are in the sink now; absent for a sink that keeps none. */
  readonly contents?: (connection: Connection) => Promise<Row[]>
  /** It never reads the rows, so it cannot fail on them. */
  readonly ignoresRows?: true
  /** What `write` did stays when the engine rolls the batch back; the batch then comes again with the same rows. */
  readonly commitsItself?: true
}

const HARD = `
  SELECT i, CASE WHEN i % 2 = 0 THEN 'é ' || i || chr(10) || '"' END AS s, encode('b' || i) AS b,
    {'x': i, 'l': [i, NULL]} AS nested, MAP {'k': i} AS m, TIMESTAMP '2026-01-01 00:00:00.000001' AS ts,
    (i * 1.25)::DECIMAL(20, 4) AS d, NULL::INTEGER AS nothing
  FROM range(3) r(i)`

/** The invariants of `Sink` over one implementation, to be given to any test runner. @param arrange a new, empty sink */
export function sinkChecks(arrange: () => SinkUnderTest): readonly Check[] {
  const checks: Check[] = []
  const check = (name: string, body: (bench: Bench, under: SinkUnderTest) => Promise<void>): void => {
    const run = async () => {
      const bench = await Bench.open()
      try {
        await body(bench, arrange())
      } finally {
        bench.close()
      }
    }
    checks.push({ name, run })
  }

  check(
    'K1: the same batch twice has one effect, or the sink says otherwise',
    async (bench, { format, options, contents }) => {
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      assert.equal(sink.guarantee, format.guarantee)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (contents && format.guarantee === 'exactly-once') {
        assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
      }
      await sink.close()
    },
  )

  check('K2: after a restart the last batch may come again', async (bench, { format, options, contents }) => {
    const first = await bench.open(format, 'SELECT 1 AS i', 'append', options)
    await bench.write(first, 0, 'SELECT 1 AS i')
    await first.close()
    const second = await bench.open(format, 'SELECT 1 AS i', 'append', options)
    await bench.write(second, 0, 'SELECT 1 AS i')
    await bench.write(second, 1, 'SELECT 2 AS i')
    if (contents && format.guarantee === 'exactly-once') {
      assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
    }
    await second.close()
  })

  for (const batchId of [0, 1]) {
    check(
      `a rolled back batch ${batchId} leaves nothing in a transactional sink, and can come again`,
      async (bench, { format, options, contents, commitsItself }) => {
        if (commitsItself) return
        const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
        for (let before = 0; before < batchId; before++) await bench.write(sink, before, 'SELECT 1 AS i')
        await bench.connection.run('BEGIN')
        await sink.write(batchId, await bench.relation('SELECT 2 AS i'))
        await bench.connection.run('ROLLBACK')
        await bench.write(sink, batchId, 'SELECT 3 AS i')
        if (contents && format.guarantee === 'exactly-once') {
          const expected = [...Array(batchId).fill({ i: 1 }), { i: 3 }]
          assert.deepEqual(await contents(bench.connection), expected)
        }
        await sink.close()
      },
    )
  }

  check(
    'K3: a failure is thrown, and the batch that comes again has one effect',
    async (bench, { format, options, contents, ignoresRows }) => {
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      const { schema } = await bench.relation('SELECT 2 AS i')
      const unreadable = new Relation(bench.connection, 'no_such_table', schema, 1)
      const failing = bench.transaction(() => sink.write(1, unreadable))
      if (ignoresRows) await failing
      else await assert.rejects(failing, SluiceError)
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (contents) assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
      await sink.close()
    },
  )

  check('K4: once written, the rows may change and go', async (bench, { format, options, contents }) => {
    const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
    await bench.write(sink, 0, 'SELECT 1 AS i')
    await bench.connection.run('UPDATE temp.main.result SET i = 9')
    await bench.connection.run('DROP TABLE temp.main.result')
    if (contents) assert.deepEqual(await contents(bench.connection), [{ i: 1 }])
    await sink.close()
  })

  check(
    'a batch that is rolled back after its write has one effect when it comes again',
    async (bench, { format, options, contents }) => {
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.connection.run('BEGIN')
      await sink.write(0, await bench.relation('SELECT 1 AS i'))
      await bench.connection.run('ROLLBACK')
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (contents && format.guarantee === 'exactly-once') {
        assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
      }
      await sink.close()
    },
  )

  check('values of every kind arrive, and no rows are fine', async (bench, { format, options, contents }) => {
    const sink = await bench.open(format, HARD, 'append', options)
    await bench.write(sink, 0, `${HARD} WHERE false`)
    await bench.write(sink, 1, HARD)
    if (contents) assert.deepEqual(await contents(bench.connection), await bench.connection.rows(HARD))
    await sink.close()
  })

  check('a large value and many rows arrive', async (bench, { format, options, contents }) => {
    const large = "SELECT repeat('x', 1000000) AS v FROM range(2) UNION ALL SELECT 'y' FROM range(10000)"
    const sink = await bench.open(format, large, 'append', options)
    await bench.write(sink, 0, large)
    if (contents) assert.equal((await contents(bench.connection)).length, 10_002)
    await sink.close()
  })

  check('complete mode holds the last batch only', async (bench, { format, options, contents }) => {
    if (!format.modes.includes('complete')) return
    const sink = await bench.open(format, 'SELECT 1 AS i', 'complete', options)
    await bench.write(sink, 0, 'SELECT 1 AS i')
    await bench.write(sink, 1, 'SELECT 1 AS i UNION ALL SELECT 2')
    if (contents && format.guarantee === 'exactly-once') {
      assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
    }
    await sink.close()
  })

  check('an unknown option is refused', async (bench, { format }) => {
    await assert.rejects(bench.open(format, 'SELECT 1 AS i', 'append', { nope: 1 }), {
      code: 'OPTION_UNKNOWN',
    })
  })
  return checks
}
