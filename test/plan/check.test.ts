import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { REFUSALS, type Refusal } from '../../src/plan/check.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'sql', 'unsupported')

test('every refusal has an example and every example a refusal', () => {
  const examples = readdirSync(FOLDER).map((file) => file.replace(/\.sql$/, ''))
  assert.deepEqual(examples.sort(), Object.keys(REFUSALS).sort())
})

test('every example is refused when it starts, for its own reason', async () => {
  const session = await Session.create({ log: silentLogger })
  try {
    await session.run("CREATE TABLE names AS SELECT 1 AS id, 'x' AS label")
    for (const name of ['clicks', 'orders']) {
      const stream = new MemoryStream(
        { userId: 'BIGINT', page: 'VARCHAR', price: 'DOUBLE', at: 'TIMESTAMP' },
        { name },
      )
      session.readStream.format(stream).load().createOrReplaceTempView(name)
    }
    for (const key of Object.keys(REFUSALS) as Refusal[]) {
      const sql = readFileSync(join(FOLDER, `${key}.sql`), 'utf8')
      const mode = /^-- mode: (\w+)/.exec(sql)?.[1] ?? ''
      const watermark = /^-- watermark: (\w+) (.+)$/m.exec(sql)
      const clicks = session.table('clicks')
      if (watermark)
        clicks.withWatermark(watermark[1] ?? '', watermark[2] ?? '').createOrReplaceTempView('clicks')
      const start = session.sql(sql).writeStream.outputMode(mode).format('noop').start()
      clicks.createOrReplaceTempView('clicks')
      await assert.rejects(start, (error) => {
        assert.ok(hasCode(error, 'STREAMING_UNSUPPORTED'), `${key}: ${String(error)}`)
        assert.equal(error.params.key, key)
        for (const text of Object.values(REFUSALS[key])) assert.ok(error.message.includes(text))
        return true
      })
    }
    assert.deepEqual(session.streams.active, [])
  } finally {
    await session.close()
  }
})

test('a sample of a stream is refused in both of its forms', async () => {
  const session = await Session.create({ log: silentLogger })
  try {
    session.readStream
      .format(new MemoryStream({ id: 'BIGINT' }))
      .load()
      .createOrReplaceTempView('clicks')
    for (const sql of ['FROM clicks TABLESAMPLE 10%', 'FROM clicks USING SAMPLE 5']) {
      const start = session.sql(`SELECT * ${sql}`).writeStream.format('noop').start()
      await assert.rejects(
        start,
        (error) => hasCode(error, 'STREAMING_UNSUPPORTED') && error.params.key === 'sample',
      )
    }
  } finally {
    await session.close()
  }
})

test('a stream in a subquery is refused wherever the subquery stands', async () => {
  const session = await Session.create({ log: silentLogger })
  try {
    await session.run('CREATE TABLE names AS SELECT 1 AS id')
    session.readStream
      .format(new MemoryStream({ id: 'BIGINT' }))
      .load()
      .createOrReplaceTempView('clicks')
    const ids = '(SELECT id FROM clicks)'
    for (const sql of [
      `SELECT * FROM clicks WHERE id IN ${ids}`,
      `SELECT * FROM clicks JOIN names ON clicks.id = names.id AND names.id IN ${ids}`,
      `SELECT * FROM clicks a JOIN clicks b ON a.id = b.id AND a.id IN ${ids}`,
      `SELECT id IN ${ids} AS k, count(*) AS n FROM clicks GROUP BY k`,
      `SELECT count(*) AS n FROM clicks HAVING count(*) IN ${ids}`,
    ]) {
      const start = session.sql(sql).writeStream.outputMode('update').format('noop').start()
      await assert.rejects(start, (error) => {
        assert.ok(hasCode(error, 'STREAMING_UNSUPPORTED'), `${sql}: ${String(error)}`)
        assert.equal(error.params.key, 'stream-in-subquery', sql)
        return true
      })
    }
  } finally {
    await session.close()
  }
})
