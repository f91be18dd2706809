import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'

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

async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}
