import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { Database, literal, type Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { multiset } from '../support/oracle.ts'

/** Keys of each batch: the first makes the state large, the others touch keys of it, bring new ones, and meet NULL. */
const BATCHES = [
  'SELECT i AS k FROM range(1_100_000) r(i)',
  'SELECT i * 1000 AS k FROM range(2000) r(i) UNION ALL SELECT NULL',
  'SELECT i * 1500 AS k FROM range(2000) r(i)',
  'SELECT i * 500 AS k FROM range(4000) r(i) UNION ALL SELECT NULL UNION ALL SELECT 0',
  'SELECT i AS k FROM range(100, 200) r(i)',
]

test('a large state takes in what touches it, before and after a restart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  const database = await Database.open()
  const session = await Session.create({ log: silentLogger })
  try {
    const plain = await database.connect()
    const input = join(directory, 'in')
    await mkdir(input)
    const arrived: string[] = []
    for (const batches of [BATCHES.slice(0, 3), BATCHES.slice(3)]) {
      const [seen, wanted]: [string[][], string[][]] = [[], []]
      for (const batch of batches) {
        const file = literal(join(input, `${arrived.length}.parquet`))
        await plain.run(`COPY (${batch}) TO ${file} (FORMAT parquet)`)
        arrived.push(batch)
        const touched = `SELECT k, count(*) AS count FROM (${arrived.join(' UNION ALL ')}) GROUP BY k`
        // The first batch is a million rows that nobody wants to see.
        const rows = await plain.rows(
          `FROM (${touched}) AS t WHERE count > 1 AND EXISTS (FROM (${batch}) AS b WHERE b.k IS NOT DISTINCT FROM t.k)`,
        )
        if (rows.length > 0) wanted.push(multiset(rows))
      }
      const query = await session.readStream
        .format('parquet')
        .schema({ k: 'BIGINT' })
        .options({ path: input, maxFilesPerTrigger: 1 })
        .load()
        .groupBy('k')
        .count()
        .where('count > 1')
        .writeStream.outputMode('update')
        .option('checkpointLocation', join(directory, 'checkpoint'))
        .trigger({ availableNow: true })
        .foreachBatch(async (batch) => {
          const rows: Row[] = await batch.toObjects()
          if (rows.length > 0) seen.push(multiset(rows))
        })
        .start()
      await query.awaitTermination()
      assert.deepEqual(seen, wanted)
    }
  } finally {
    await session.close()
    database.close()
    await rm(directory, { recursive: true, force: true })
  }
})
