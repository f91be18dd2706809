import assert from 'node:assert/strict'
import { Relation } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { Bench } from './bench.ts'
import { changedQueryChecks } from './changed-query-checks.ts'
import type { Check } from './check.ts'
import { type CheckOfSink, rowChecks } from './row-checks.ts'
import { rowsIn, type SinkUnderTest } from './sink-under-test.ts'

/** How much is asked of a sink. */
export interface SinkCheckSettings {
  /** Of the batch with many rows. Default: 10,000. */
  readonly manyRows?: number
}

/**
 * The invariants of `Sink` over one implementation, to be given to any test runner.
 *
 * @param arrange a new, empty sink
 */
export function sinkChecks(arrange: () => SinkUnderTest, settings: SinkCheckSettings = {}): readonly Check[] {
  const { manyRows = 10_000 } = settings
  return [...EFFECTS, ...rowChecks(manyRows), ...changedQueryChecks].map(({ name, body }) => ({
    name,
    run: async () => {
      const bench = await Bench.open()
      try {
        await body(bench, arrange())
      } finally {
        bench.close()
      }
    },
  }))
}

/** What a write has for an effect, whatever comes between. */
const EFFECTS: readonly CheckOfSink[] = [
  {
    name: 'K1: the same batch twice has one effect, or the sink says otherwise',
    body: async (bench, under) => {
      const { format, options } = under
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      assert.equal(sink.guarantee, format.guarantee)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (keepsOnce(under)) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }, { i: 2 }])
      await sink.close()
    },
  },
  {
    name: 'K2: after a restart the last batch may come again',
    body: async (bench, under) => {
      const { format, options } = under
      const first = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.write(first, 0, 'SELECT 1 AS i')
      await first.close()
      const second = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.write(second, 0, 'SELECT 1 AS i')
      await bench.write(second, 1, 'SELECT 2 AS i')
      if (keepsOnce(under)) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }, { i: 2 }])
      await second.close()
    },
  },
  ...[0, 1].map(
    (batchId): CheckOfSink => ({
      name: `a rolled back batch ${batchId} leaves nothing in a transactional sink, and can come again`,
      body: async (bench, under) => {
        const { format, options } = under
        if (under.commitsItself) return
        const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
        for (let before = 0; before < batchId; before++) await bench.write(sink, before, 'SELECT 1 AS i')
        await bench.connection.run('BEGIN')
        await sink.write(batchId, await bench.relation('SELECT 2 AS i'))
        await bench.connection.run('ROLLBACK')
        await bench.write(sink, batchId, 'SELECT 3 AS i')
        const expected = [...Array(batchId).fill({ i: 1 }), { i: 3 }]
        if (keepsOnce(under)) assert.deepEqual(await rowsIn(under, bench.connection), expected)
        await sink.close()
      },
    }),
  ),
  {
    name: 'K3: a failure is thrown, and the batch that comes again has one effect',
    body: async (bench, under) => {
      const { format, options, ignoresRows } = under
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      const { schema } = await bench.relation('SELECT 2 AS i')
      const unreadable = new Relation(bench.connection, 'no_such_table', schema, 1)
      const failing = bench.transaction(() => sink.write(1, unreadable))
      if (ignoresRows) await failing
      else await assert.rejects(failing, SluiceError)
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (under.contents) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }, { i: 2 }])
      await sink.close()
    },
  },
  {
    name: 'K3: a batch that breaks off in the middle of its rows is whole when it comes again',
    body: async (bench, under) => {
      const { format, options } = under
      if (!under.contents) return
      const rows = 'SELECT i::INTEGER AS i FROM range(9000) r(i)'
      const sink = await bench.open(format, rows, 'append', options)
      await bench.write(sink, 0, 'SELECT -1 AS i')
      const { schema } = await bench.relation(rows)
      const broken = "CASE WHEN i < 7000 THEN i::INTEGER ELSE error('the rows end here') END"
      await bench.connection.run(
        `CREATE OR REPLACE TEMP VIEW broken AS SELECT ${broken} AS i FROM range(9000) r(i)`,
      )
      const half = new Relation(bench.connection, 'temp.main.broken', schema, 9000)
      await assert.rejects(
        bench.transaction(() => sink.write(1, half)),
        SluiceError,
      )
      await sink.close()
      const next = await bench.open(format, rows, 'append', options)
      await bench.write(next, 1, rows)
      const found = (await rowsIn(under, bench.connection)).map(({ i }) => Number(i))
      if (keepsOnce(under)) assert.equal(found.length, 9001)
      const expected = Array.from({ length: 9001 }, (_, i) => i - 1)
      assert.deepEqual(
        [...new Set(found)].sort((a, b) => a - b),
        expected,
      )
      await next.close()
    },
  },
  {
    name: 'K4: once written, the rows may change and go',
    body: async (bench, under) => {
      const { format, options } = under
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.connection.run('UPDATE temp.main.result SET i = 9')
      await bench.connection.run('DROP TABLE temp.main.result')
      if (under.contents) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }])
      await sink.close()
    },
  },
  {
    name: 'a batch that is rolled back after its write has one effect when it comes again',
    body: async (bench, under) => {
      const { format, options } = under
      const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
      await bench.connection.run('BEGIN')
      await sink.write(0, await bench.relation('SELECT 1 AS i'))
      await bench.connection.run('ROLLBACK')
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.write(sink, 1, 'SELECT 2 AS i')
      if (keepsOnce(under)) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }, { i: 2 }])
      await sink.close()
    },
  },
  {
    name: 'complete mode holds the last batch only',
    body: async (bench, under) => {
      const { format, options } = under
      if (!format.modes.includes('complete')) return
      const sink = await bench.open(format, 'SELECT 1 AS i', 'complete', options)
      await bench.write(sink, 0, 'SELECT 1 AS i')
      await bench.write(sink, 1, 'SELECT 1 AS i UNION ALL SELECT 2')
      if (keepsOnce(under)) assert.deepEqual(await rowsIn(under, bench.connection), [{ i: 1 }, { i: 2 }])
      await sink.close()
    },
  },
  {
    name: 'an unknown option is refused',
    body: async (bench, { format }) => {
      await assert.rejects(bench.open(format, 'SELECT 1 AS i', 'append', { nope: 1 }), {
        code: 'OPTION_UNKNOWN',
      })
    },
  },
]

function keepsOnce({ format, contents }: SinkUnderTest): boolean {
  return contents !== undefined && format.guarantee === 'exactly-once'
}
