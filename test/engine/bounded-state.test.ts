import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { forSeeds } from '../support/seeds.ts'

/** State of four kinds that a watermark bounds: keys of duplicates, panes, groups and kept values. */
const QUERY = `
  WITH hops AS (
    SELECT hop(at, '5 seconds', '10 seconds') AS w, page, count(*) AS n
    FROM (SELECT DISTINCT at, page, id FROM events) GROUP BY w, page
  )
  SELECT tumble(window_time(w), '10 seconds') AS t, count(DISTINCT n) AS n, list(page) AS pages FROM hops GROUP BY t`

const ROUNDS = 20

test('after ten times the data, state and checkpoint are as large as before', async () => {
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-bounded-'))
  const session = await Session.create({ log: silentLogger })
  try {
    const random = seededRandom('bounded')
    const stream = new MemoryStream({ id: 'INTEGER', at: 'TIMESTAMP', page: 'VARCHAR' })
    session.readStream
      .format(stream)
      .load()
      .withWatermark('at', '5 seconds')
      .createOrReplaceTempView('events')
    const query = await session
      .sql(QUERY)
      .writeStream.option('checkpointLocation', checkpoint)
      .option('minBatchesToRetain', 2)
      .format('noop')
      .start()
    const rows: number[] = []
    const bytes: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const from = Date.UTC(2026, 0, 1) + round * 10_000
      for (let i = 0; i < 100; i++) {
        stream.add({ id: i, at: new Date(from + random.below(10_000)), page: random.pick(['a', 'b', 'c']) })
      }
      await query.processAllAvailable()
      const operators = query.lastProgress?.stateOperators ?? []
      rows.push(operators.reduce((sum, operator) => sum + operator.numRowsTotal, 0))
      bytes.push(await bytesIn(checkpoint))
    }
    const few = ROUNDS / 10
    assert.ok(Math.min(...rows) > 30, `there is state: ${rows.join(' ')}`)
    assert.ok(Math.max(...rows) <= 2 * Math.max(...rows.slice(0, few)), `rows: ${rows.join(' ')}`)
    // Files wait for the next purge, every twenty batches: two of them lie between these peaks.
    const peak = (from: number, to: number) => Math.max(...bytes.slice(from, to))
    assert.ok(peak(10, 20) <= 1.3 * peak(0, 10), `bytes: ${bytes.join(' ')}`)
  } finally {
    await session.close()
    await rm(checkpoint, { recursive: true, force: true })
  }
})

const NEAR = 'a.id = b.id AND b.at BETWEEN a.at - INTERVAL 3 SECOND AND a.at + INTERVAL 4 SECOND'
const W = "tumble(at, '5 seconds')"

/** One operator each, over the streams `a` and `b`. */
const OPERATORS: Readonly<Record<string, string>> = {
  'groups that are merged': `SELECT ${W} AS w, page, count(*) AS n FROM a GROUP BY w, page`,
  'groups of kept values': `SELECT ${W} AS w, median(id) AS m, list(page) AS pages FROM a GROUP BY w`,
  'groups of both': `SELECT ${W} AS w, median(id) AS m, max(page) AS page FROM a GROUP BY w`,
  'panes of hopping windows':
    "SELECT hop(at, '2 seconds', '6 seconds') AS w, count(*) AS n FROM a GROUP BY w",
  'copies for hopping windows':
    "SELECT hop(at, '2 seconds', '6 seconds') AS w, count(DISTINCT id) AS n FROM a GROUP BY w",
  'grouping sets': `SELECT ${W} AS w, page, count(*) AS n FROM a GROUP BY w, ROLLUP (page)`,
  sessions: "SELECT page, session_window(at, '1 second') AS w, count(*) AS n FROM a GROUP BY page, w",
  'windows of windows': `SELECT tumble(window_time(w), '10 seconds') AS v, max(n) AS n FROM (SELECT ${W} AS w, page, count(*) AS n FROM a GROUP BY w, page) GROUP BY v`,
  'ranks in windows': `SELECT ${W} AS w, page FROM a GROUP BY w, page QUALIFY rank() OVER (PARTITION BY w ORDER BY count(*)) = 1`,
  'duplicates with their time': 'SELECT DISTINCT at, id FROM a',
  'duplicates within the watermark': 'SELECT id FROM once',
  'an inner join': `SELECT a.id FROM a JOIN b ON ${NEAR}`,
  'a left join': `SELECT a.id FROM a LEFT JOIN b ON ${NEAR}`,
  'a right join': `SELECT b.id FROM a RIGHT JOIN b ON ${NEAR}`,
  'a full join': `SELECT a.id, b.id AS other FROM a FULL JOIN b ON ${NEAR}`,
  'a semi join': `SELECT a.id FROM a SEMI JOIN b ON ${NEAR}`,
  'an anti join': `SELECT a.id FROM a ANTI JOIN b ON ${NEAR}`,
  'a join by window': `SELECT a.id FROM a JOIN b ON ${W.replace('at', 'a.at')} = ${W.replace('at', 'b.at')} AND a.at > b.at`,
  'an as-of join': 'SELECT a.id, b.at FROM a ASOF JOIN b ON a.page = b.page AND a.at >= b.at',
  'a left as-of join':
    'SELECT a.id, b.at FROM a ASOF LEFT JOIN b ON a.page = b.page AND a.at >= b.at + INTERVAL 1 SECOND',
  'an aggregation over a join': `SELECT tumble(a.at, '5 seconds') AS w, count(*) AS n FROM a LEFT JOIN b ON ${NEAR} GROUP BY w`,
  'the first of every key':
    'SELECT page, id FROM a QUALIFY row_number() OVER (PARTITION BY page ORDER BY at DESC) <= 2',
}

test('of every operator after ten times the data', async () => {
  const names = Object.keys(OPERATORS)
  await forSeeds(
    2,
    async (random, seed) => {
      const name = names[Number(seed) % names.length] as string
      const session = await Session.create({ log: silentLogger })
      try {
        const stream = new MemoryStream({ id: 'INTEGER', at: 'TIMESTAMP', page: 'VARCHAR', side: 'VARCHAR' })
        const events = session.readStream.format(stream).load().withWatermark('at', '5 seconds')
        events.where("side = 'a'").createOrReplaceTempView('a')
        events.where("side = 'b'").createOrReplaceTempView('b')
        events.where("side = 'a'").dropDuplicatesWithinWatermark('id').createOrReplaceTempView('once')
        const query = await session
          .sql(OPERATORS[name] as string)
          .writeStream.outputMode(name.startsWith('the first') ? 'update' : 'append')
          .format('noop')
          .start()
        const rows: number[] = []
        for (let round = 0; round < ROUNDS; round++) {
          const from = Date.UTC(2026, 0, 1) + round * 10_000
          for (let i = 0; i < 60; i++) {
            // Keys of every round are new but for the pages.
            const id = round * 20 + random.below(20)
            const at = new Date(from + random.below(10_000))
            stream.add({ id, at, page: random.pick(['x', 'y', 'z']), side: random.pick(['a', 'b']) })
          }
          await query.processAllAvailable()
          const operators = query.lastProgress?.stateOperators ?? []
          rows.push(operators.reduce((sum, operator) => sum + operator.numRowsTotal, 0))
        }
        assert.ok(Math.max(...rows) > 0, `${name}: there is state`)
        const bound = 2 * Math.max(...rows.slice(0, ROUNDS / 10))
        assert.ok(Math.max(...rows) <= bound, `${name}: ${rows.join(' ')}`)
      } finally {
        await session.close()
      }
    },
    names.length,
  )
})

async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}
