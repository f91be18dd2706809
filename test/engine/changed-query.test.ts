import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { DataStreamWriter } from '../../src/api/writer.ts'
import type { Row } from '../../src/duckdb.ts'
import { SluiceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { multiset } from '../support/oracle.ts'

interface Given {
  readonly sql: string
  readonly mode: OutputMode
}

/** A query, and what becomes of its checkpoint when it is changed: it goes on, or the refusal says this. */
interface Changes extends Given {
  readonly goesOn: Readonly<Record<string, Partial<Given>>>
  readonly refused: Readonly<Record<string, Partial<Given> & { readonly says: RegExp }>>
}

const NEAR = 'a.k = b.k AND b.at BETWEEN a.at AND a.at + INTERVAL 10 SECONDS'
const STREAMS = { events: '10 seconds', slower: '1 minute', untimed: undefined }

const QUERIES: Readonly<Record<string, Changes>> = {
  stateless: {
    sql: 'SELECT k FROM events',
    mode: 'append',
    goesOn: {
      'other columns': { sql: 'SELECT v + 1 AS next, k FROM events' },
      'a filter': { sql: 'SELECT k FROM events WHERE v > 1' },
      'another output mode': { mode: 'update' },
    },
    refused: {
      'another stream': {
        sql: 'SELECT k FROM others',
        says: /sources\[0\] was "\S*events\S*", now "\S*others\S*"/,
      },
      'one more stream': {
        sql: 'SELECT k FROM events UNION ALL SELECT k FROM others',
        says: /sources\[1\] was absent, now "\S*others\S*"/,
      },
      'an aggregate': {
        sql: 'SELECT k, count(*) AS n FROM events GROUP BY k',
        mode: 'update',
        says: /query\.operators\[0\] was absent/,
      },
    },
  },
  aggregate: {
    sql: 'SELECT k, count(*) AS n, sum(v) AS total FROM events GROUP BY k',
    mode: 'update',
    goesOn: {
      'a filter below it': {
        sql: 'SELECT k, count(*) AS n, sum(v) AS total FROM events WHERE v > 1 GROUP BY k',
      },
      'a filter and a projection above it': {
        sql: 'SELECT upper(k) AS u, total / n AS mean FROM (SELECT k, count(*) AS n, sum(v) AS total FROM events GROUP BY k) WHERE n > 1',
      },
      'complete mode, as it forgets nothing': { mode: 'complete' },
    },
    refused: {
      'another key': {
        sql: 'SELECT v % 2 AS k, count(*) AS n, sum(v) AS total FROM events GROUP BY v % 2',
        says: /operators\[0\]\.keys\[0\]\.expression was .*k.*, now .*v % 2/,
      },
      'one more key': {
        sql: 'SELECT k, v, count(*) AS n, sum(v) AS total FROM events GROUP BY k, v',
        says: /operators\[0\]\.keys\[1\] was absent/,
      },
      'one more aggregate': {
        sql: 'SELECT k, count(*) AS n, sum(v) AS total, max(v) AS most FROM events GROUP BY k',
        says: /operators\[0\]\.state\[2\] was absent, now .*max\(v\)/,
      },
      'another argument under the same name': {
        sql: 'SELECT k, count(*) AS n, sum(v * 2) AS total FROM events GROUP BY k',
        says: /operators\[0\]\.state\[1\]\.column was .*sum\(v\).*, now .*v \* 2/,
      },
      'another type of an argument': {
        sql: 'SELECT k, count(*) AS n, sum(v) AS total FROM (SELECT k, v::DOUBLE AS v FROM events) GROUP BY k',
        says: /operators\[0\]\.state\[1\]\.type was "HUGEINT", now "DOUBLE"/,
      },
      'one more operator': {
        sql: 'SELECT count(*) AS groups FROM (SELECT DISTINCT k FROM events)',
        says: /operators\[0\] was "aggregate", now "dedup"; query\.operators\[1\] was absent/,
      },
      'no operator': { sql: 'SELECT k FROM events', says: /operators\[0\] was \{.*, now absent/ },
    },
  },
  'retained aggregate': {
    sql: 'SELECT k, median(v) AS m FROM events GROUP BY k',
    mode: 'update',
    goesOn: { 'a filter below it': { sql: 'SELECT k, median(v) AS m FROM events WHERE v > 1 GROUP BY k' } },
    refused: {
      'another argument': {
        sql: 'SELECT k, median(v + 1) AS m FROM events GROUP BY k',
        says: /operators\[0\]\.arguments\[0\]\.expression was "v", now "\(v \+ 1\)"/,
      },
    },
  },
  windowed: {
    sql: "SELECT window(at, '1 minute').start AS start, count(*) AS n FROM events GROUP BY window(at, '1 minute')",
    mode: 'append',
    goesOn: {
      'update mode': { mode: 'update' },
      'another delay of its watermark': {
        sql: "SELECT window(at, '1 minute').start AS start, count(*) AS n FROM slower GROUP BY window(at, '1 minute')",
      },
    },
    refused: {
      'another column of its watermark': {
        sql: "SELECT window(at, '1 minute').start AS start, count(*) AS n FROM (SELECT seen AS at FROM by_seen) GROUP BY window(at, '1 minute')",
        says: /query\.watermarks\[0\] was "at", now "seen"/,
      },
      'another window': {
        sql: "SELECT window(at, '2 minutes').start AS start, count(*) AS n FROM events GROUP BY window(at, '2 minutes')",
        says: /operators\[0\]\.keys\[0\]\.expression was /,
      },
      'complete mode, as it has forgotten groups': {
        mode: 'complete',
        says: /operators\[0\]\.forgets was "groups behind the watermark", now "nothing"/,
      },
      'no watermark any more': {
        sql: "SELECT window(at, '1 minute').start AS start, count(*) AS n FROM untimed GROUP BY window(at, '1 minute')",
        mode: 'update',
        says: /operators\[0\]\.forgets was "groups behind the watermark", now "nothing"/,
      },
    },
  },
  session: {
    sql: "SELECT session_window(at, '10 seconds').start AS start, count(*) AS n FROM events GROUP BY session_window(at, '10 seconds')",
    mode: 'append',
    goesOn: {},
    refused: {
      'another gap': {
        sql: "SELECT session_window(at, '20 seconds').start AS start, count(*) AS n FROM events GROUP BY session_window(at, '20 seconds')",
        says: /operators\[0\]\.gap was .*10 seconds.*, now .*20 seconds/,
      },
      'complete mode': { mode: 'complete', says: /operators\[0\]\.forgets was / },
    },
  },
  dedup: {
    sql: 'SELECT DISTINCT k, at FROM events',
    mode: 'append',
    goesOn: { 'a filter': { sql: 'SELECT DISTINCT k, at FROM events WHERE v > 1' } },
    refused: {
      'another key': {
        sql: 'SELECT DISTINCT v, at FROM events',
        says: /operators\[0\]\.keys\[0\]\.key was "k", now "v"/,
      },
      'no watermark any more': {
        sql: 'SELECT DISTINCT k, at FROM untimed',
        says: /operators\[0\]\.forgets was "keys behind the watermark", now "nothing"/,
      },
    },
  },
  'top-n': {
    sql: 'SELECT * FROM untimed QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC) <= 2',
    mode: 'update',
    goesOn: {},
    refused: {
      'another order': {
        sql: 'SELECT * FROM untimed QUALIFY row_number() OVER (PARTITION BY k ORDER BY v) <= 2',
        says: /operators\[0\]\.order\[0\] was .*DESC.*, now /,
      },
      'another limit': {
        sql: 'SELECT * FROM untimed QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC) <= 3',
        says: /operators\[0\]\.limit was 2, now 3/,
      },
    },
  },
  join: {
    sql: `SELECT a.v, b.v AS w FROM events a JOIN others b ON ${NEAR}`,
    mode: 'append',
    goesOn: {
      'a projection above it': { sql: `SELECT a.v + b.v AS both FROM events a JOIN others b ON ${NEAR}` },
    },
    refused: {
      'a left join': {
        sql: `SELECT a.v, b.v AS w FROM events a LEFT JOIN others b ON ${NEAR}`,
        says: /operators\[0\]\.join was "INNER", now "LEFT"/,
      },
      'another condition': {
        sql: `SELECT a.v, b.v AS w FROM events a JOIN others b ON ${NEAR} AND a.v = b.v`,
        says: /operators\[0\]\.condition was /,
      },
      'sides that changed places': {
        sql: `SELECT a.v, b.v AS w FROM others b JOIN events a ON ${NEAR}`,
        says: /sources\[0\] was "\S*events\S*", now "\S*others\S*"/,
      },
    },
  },
}

describe('a changed query', () => {
  let session: Session
  let directory: string
  let events: MemoryStream

  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))

  before(async () => {
    session = await Session.create({ log: silentLogger })
    directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    const schema = { k: 'VARCHAR', v: 'BIGINT', at: 'TIMESTAMP' }
    events = new MemoryStream(schema, { name: 'events' })
    const others = new MemoryStream(schema, { name: 'others' })
    for (const stream of [events, others])
      stream.add({ k: 'a', v: 1n, at: at(0) }, { k: 'b', v: 2n, at: at(90) })
    for (const [name, delay] of Object.entries(STREAMS)) {
      const stream = session.readStream.format(events).load()
      const timed = delay === undefined ? stream : stream.withWatermark('at', delay)
      timed.createOrReplaceTempView(name)
    }
    session.readStream
      .format(events)
      .load()
      .selectExpr('*', 'at AS seen')
      .withWatermark('seen', '10 seconds')
      .createOrReplaceTempView('by_seen')
    session.readStream
      .format(others)
      .load()
      .withWatermark('at', '10 seconds')
      .createOrReplaceTempView('others')
  })

  after(async () => {
    await session.close()
    await rm(directory, { recursive: true, force: true })
  })

  const writer = ({ sql, mode }: Given, checkpoint: string): DataStreamWriter =>
    session
      .sql(sql)
      .writeStream.outputMode(mode)
      .format('noop')
      .trigger({ availableNow: true })
      .option('checkpointLocation', join(directory, checkpoint))

  const run = async (given: DataStreamWriter) => {
    const query = await given.start()
    await query.awaitTermination()
    return query
  }

  const files = (checkpoint: string) => readdir(join(directory, checkpoint), { recursive: true })

  test('goes on with its state, or is refused with what changed', async (t) => {
    for (const [name, { goesOn, refused, ...base }] of Object.entries(QUERIES)) {
      await t.test(name, async () => {
        const { id } = await run(writer(base, name))
        for (const [change, changed] of Object.entries(goesOn)) {
          const query = await run(writer({ ...base, ...changed }, name))
          assert.equal(query.id, id, change)
        }
        for (const [change, { says, ...changed }] of Object.entries(refused)) {
          const found = await files(name)
          await assert.rejects(run(writer({ ...base, ...changed }, name)), (error) => {
            assert.ok(error instanceof SluiceError, String(error))
            assert.equal(error.code, 'CHECKPOINT_INCOMPATIBLE', `${change}: ${error.message}`)
            assert.match(error.message, says, change)
            assert.match(
              error.message,
              /To fix: undo the change, or give the changed query a new checkpointLocation/,
            )
            return true
          })
          assert.deepEqual(await files(name), found, `${change} leaves the checkpoint as it was`)
        }
      })
    }
  })

  test('options, the trigger and the sink are free to change', async () => {
    const aggregate = QUERIES['aggregate'] as Changes
    const base = writer(aggregate, 'options')
    const { id } = await run(base)
    for (const changed of [
      base.option('minBatchesToRetain', 3).option('maxDeltasPerSnapshot', 7),
      base.option('watermarkMaxAhead', '1 hour').option('checkpointHeartbeat', '1s'),
      base.trigger({ once: true }),
      base.foreachBatch(async () => undefined),
      base.outputMode('complete').format('memory').queryName('counts'),
    ]) {
      assert.equal((await run(changed)).id, id)
    }
  })

  test('a changed filter is that of the rows to come, over the state that is there', async () => {
    const aggregate = QUERIES['aggregate'] as Changes
    await run(writer(aggregate, 'filter'))
    events.add({ k: 'a', v: 5n, at: at(91) }, { k: 'b', v: 0n, at: at(91) })
    const rows: unknown[] = []
    const sql = 'SELECT k, count(*) AS n, sum(v) AS total FROM events WHERE v > 1 GROUP BY k'
    await run(
      writer({ sql, mode: 'complete' }, 'filter').foreachBatch(async (batch) => {
        rows.push(...(await batch.toObjects()))
      }),
    )
    assert.deepEqual(
      multiset(rows as Row[]),
      multiset([
        { k: 'a', n: 2n, total: 6n },
        { k: 'b', n: 1n, total: 2n },
      ]),
    )
  })
})
