import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Clock, systemClock } from '../../src/clock.ts'
import { type Connection, Database, Relation, type Row } from '../../src/duckdb.ts'
import { SluiceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import type { Sink, SinkFormat } from '../../src/sinks/sink.ts'

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

/** A database of its own, and relations out of SQL. */
export class Bench {
  readonly connection: Connection
  readonly clock: Clock
  /** Aborted, it is as if the queries of the sinks were asked to stop. */
  readonly stopping = new AbortController()
  readonly #database: Database

  private constructor(database: Database, connection: Connection, clock: Clock) {
    this.clock = clock
    this.#database = database
    this.connection = connection
  }

  static async open(clock = systemClock): Promise<Bench> {
    const database = await Database.open()
    return new Bench(database, await database.connect(), clock)
  }

  async relation(sql: string): Promise<Relation> {
    await this.connection.run(`CREATE OR REPLACE TEMP TABLE result AS ${sql}`)
    const schema = await this.connection.describe('FROM temp.main.result')
    const rows = Number(await this.connection.value('SELECT count(*) FROM temp.main.result'))
    return new Relation(this.connection, 'temp.main.result', schema, rows)
  }

  async open(
    format: SinkFormat,
    sql: string,
    mode: OutputMode,
    options = {},
    queryId = 'query 1',
    queryName = 'out',
  ): Promise<Sink> {
    return format.open({
      options: new Map(Object.entries(options)),
      queryId,
      queryName,
      outputMode: mode,
      schema: await this.connection.describe(sql),
      log: silentLogger,
      clock: this.clock,
      stop: this.stopping.signal,
    })
  }

  /** One batch, as the engine writes it: in a transaction. */
  async write(sink: Sink, batchId: number, sql: string): Promise<void> {
    await this.transaction(async () => sink.write(batchId, await this.relation(sql)))
  }

  async transaction(steps: () => Promise<void>): Promise<void> {
    await this.connection.run('BEGIN')
    try {
      await steps()
      await this.connection.run('COMMIT')
    } catch (error) {
      await this.connection.run('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.connection.close()
    this.#database.close()
  }
}

const HARD = `
  SELECT i, CASE WHEN i % 2 = 0 THEN 'é ' || i || chr(10) || '"' END AS s, encode('b' || i) AS b,
    {'x': i, 'l': [i, NULL]} AS nested, MAP {'k': i} AS m, TIMESTAMP '2026-01-01 00:00:00.000001' AS ts,
    (i * 1.25)::DECIMAL(20, 4) AS d, NULL::INTEGER AS nothing
  FROM range(3) r(i)`

/** Runs the invariants of `Sink` over one implementation. */
export function sinkConformance(name: string, open: () => SinkUnderTest): void {
  describe(`sink ${name}`, () => {
    const run = async (check: (bench: Bench, under: SinkUnderTest) => Promise<void>) => {
      const bench = await Bench.open()
      try {
        await check(bench, open())
      } finally {
        bench.close()
      }
    }

    test('K1: the same batch twice has one effect, or the sink says otherwise', () =>
      run(async (bench, { format, options, contents }) => {
        const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
        assert.equal(sink.guarantee, format.guarantee)
        await bench.write(sink, 0, 'SELECT 1 AS i')
        await bench.write(sink, 1, 'SELECT 2 AS i')
        await bench.write(sink, 1, 'SELECT 2 AS i')
        if (contents && format.guarantee === 'exactly-once') {
          assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
        }
        await sink.close()
      }))

    test('K2: after a restart the last batch may come again', () =>
      run(async (bench, { format, options, contents }) => {
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
      }))

    for (const batchId of [0, 1]) {
      test(`a rolled back batch ${batchId} leaves nothing in a transactional sink, and can come again`, () =>
        run(async (bench, { format, options, contents, commitsItself }) => {
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
        }))
    }

    test('K3: a failure is thrown, and the batch that comes again has one effect', () =>
      run(async (bench, { format, options, contents, ignoresRows }) => {
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
      }))

    test('K4: once written, the rows may change and go', () =>
      run(async (bench, { format, options, contents }) => {
        const sink = await bench.open(format, 'SELECT 1 AS i', 'append', options)
        await bench.write(sink, 0, 'SELECT 1 AS i')
        await bench.connection.run('UPDATE temp.main.result SET i = 9')
        await bench.connection.run('DROP TABLE temp.main.result')
        if (contents) assert.deepEqual(await contents(bench.connection), [{ i: 1 }])
        await sink.close()
      }))

    test('a batch that is rolled back after its write has one effect when it comes again', () =>
      run(async (bench, { format, options, contents }) => {
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
      }))

    test('values of every kind arrive, and no rows are fine', () =>
      run(async (bench, { format, options, contents }) => {
        const sink = await bench.open(format, HARD, 'append', options)
        await bench.write(sink, 0, `${HARD} WHERE false`)
        await bench.write(sink, 1, HARD)
        if (contents) assert.deepEqual(await contents(bench.connection), await bench.connection.rows(HARD))
        await sink.close()
      }))

    test('a large value and many rows arrive', () =>
      run(async (bench, { format, options, contents }) => {
        const large = "SELECT repeat('x', 1000000) AS v FROM range(2) UNION ALL SELECT 'y' FROM range(10000)"
        const sink = await bench.open(format, large, 'append', options)
        await bench.write(sink, 0, large)
        if (contents) assert.equal((await contents(bench.connection)).length, 10_002)
        await sink.close()
      }))

    test('complete mode holds the last batch only', () =>
      run(async (bench, { format, options, contents }) => {
        if (!format.modes.includes('complete')) return
        const sink = await bench.open(format, 'SELECT 1 AS i', 'complete', options)
        await bench.write(sink, 0, 'SELECT 1 AS i')
        await bench.write(sink, 1, 'SELECT 1 AS i UNION ALL SELECT 2')
        if (contents && format.guarantee === 'exactly-once') {
          assert.deepEqual(await contents(bench.connection), [{ i: 1 }, { i: 2 }])
        }
        await sink.close()
      }))

    test('an unknown option is refused', () =>
      run(async (bench, { format }) => {
        await assert.rejects(bench.open(format, 'SELECT 1 AS i', 'append', { nope: 1 }), {
          code: 'OPTION_UNKNOWN',
        })
      }))
  })
}
