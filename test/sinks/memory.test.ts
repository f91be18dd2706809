import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { systemClock } from '../../src/clock.ts'
import { Database, Relation } from '../../src/duckdb.ts'
import { type Logger, silentLogger } from '../../src/log.ts'
import { memoryFormat } from '../../src/sinks/memory.ts'
import type { SinkContext } from '../../src/sinks/sink.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { Bench } from '../conformance/sink.ts'

const CONTEXT: SinkContext = {
  options: new Map(),
  queryId: 'query 1',
  queryName: 'out',
  outputMode: 'append',
  schema: [{ name: 'i', type: 'INTEGER' }],
  log: silentLogger,
  clock: systemClock,
  stop: new AbortController().signal,
}

test('the table of a running query can be queried', async () => {
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const counts = session.readStream.format(stream).load().groupBy('word').count()
  const query = await counts.writeStream.outputMode('complete').format('memory').queryName('counts').start()
  const answer = () => session.sql('SELECT * FROM counts ORDER BY word').collect()
  stream.add({ word: 'a' }, { word: 'b' }, { word: 'a' })
  await query.processAllAvailable()
  assert.deepEqual(await answer(), [
    { word: 'a', count: 2n },
    { word: 'b', count: 1n },
  ])
  stream.add({ word: 'b' })
  await query.processAllAvailable()
  assert.deepEqual(await answer(), [
    { word: 'a', count: 2n },
    { word: 'b', count: 2n },
  ])
  await session.close()
})

test('a table that somebody else made is not touched', async () => {
  const bench = await Bench.open()
  await bench.connection.run('CREATE TABLE OUT AS SELECT 5 AS kept')
  const sink = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append')
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code: 'SINK_TABLE_TAKEN' })
  assert.deepEqual(await bench.connection.rows('FROM out'), [{ kept: 5 }])
  bench.close()
})

test('a view, or a name that differs in case only, is not touched either', async () => {
  const bench = await Bench.open()
  const other = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append', {}, 'query 1', 'OUT')
  await bench.write(other, 0, 'SELECT 1 AS i')
  const sink = await bench.open(memoryFormat, 'SELECT 2 AS i', 'append', {}, 'query 2')
  await assert.rejects(bench.write(sink, 0, 'SELECT 2 AS i'), { code: 'SINK_TABLE_TAKEN' })
  assert.deepEqual(await bench.connection.rows('FROM out'), [{ i: 1 }])

  await bench.connection.run('CREATE VIEW seen AS SELECT 5 AS kept')
  const named = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append', {}, 'query 1', 'seen')
  await assert.rejects(bench.write(named, 0, 'SELECT 1 AS i'), { code: 'SINK_TABLE_TAKEN' })
  assert.deepEqual(await bench.connection.rows('FROM seen'), [{ kept: 5 }])
  bench.close()
})

test('a table that was put in the place of ours is not touched', async () => {
  const bench = await Bench.open()
  const sink = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append')
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await bench.connection.run('DROP TABLE memory.main.out')
  await bench.connection.run('CREATE TABLE memory.main.out AS SELECT 5 AS kept')
  await assert.rejects(bench.write(sink, 1, 'SELECT 1 AS i'), { code: 'SINK_TABLE_TAKEN' })
  assert.deepEqual(await bench.connection.rows('FROM memory.main.out'), [{ kept: 5 }])
  bench.close()
})

test('another query of the same name begins with an empty table', async () => {
  const bench = await Bench.open()
  const first = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append', {}, 'query 1')
  await bench.write(first, 4, 'SELECT 1 AS i')
  const second = await bench.open(memoryFormat, "SELECT 'x' AS s", 'append', {}, 'query 2')
  await bench.write(second, 0, "SELECT 'x' AS s")
  assert.deepEqual(await bench.connection.rows('FROM memory.main.out'), [{ s: 'x' }])
  bench.close()
})

test('two queries may write at the same time, from their first batch on', async () => {
  const database = await Database.open()
  const writers = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const connection = await database.connect()
      const sink = await memoryFormat.open({ ...CONTEXT, queryId: `query ${name}`, queryName: name })
      return { connection, sink }
    }),
  )
  for (const batchId of [0, 1, 2]) {
    for (const { connection } of writers) await connection.run('BEGIN')
    for (const { connection, sink } of writers) {
      await connection.run(`CREATE OR REPLACE TEMP TABLE result AS SELECT ${batchId} AS i`)
      await sink.write(batchId, new Relation(connection, 'result', CONTEXT.schema, 1))
    }
    for (const { connection } of writers) await connection.run('COMMIT')
  }
  const reader = await database.connect()
  for (const name of ['a', 'b'])
    assert.deepEqual(await reader.rows(`FROM ${name}`), [{ i: 0 }, { i: 1 }, { i: 2 }])
  for (const { connection } of [...writers, { connection: reader }]) connection.close()
  database.close()
})

test('others see the rows of a batch once it is committed', async () => {
  const database = await Database.open()
  const [writer, reader] = [await database.connect(), await database.connect()]
  const sink = await memoryFormat.open({ ...CONTEXT, outputMode: 'complete' })
  const write = async (batchId: number) => {
    await writer.run('BEGIN')
    await writer.run(`CREATE OR REPLACE TEMP TABLE result AS SELECT ${batchId} AS i`)
    await sink.write(batchId, new Relation(writer, 'result', CONTEXT.schema, 1))
  }
  await write(0)
  await assert.rejects(reader.rows('FROM out'), { code: 'SQL_INVALID' })
  await writer.run('COMMIT')
  await write(1)
  assert.deepEqual(await reader.rows('FROM out'), [{ i: 0 }])
  await writer.run('COMMIT')
  assert.deepEqual(await reader.rows('FROM out'), [{ i: 1 }])
  writer.close()
  reader.close()
  database.close()
})

test('a query may have the name of a table that the engine uses', async () => {
  const bench = await Bench.open()
  const sink = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append', {}, 'query 1', 'result')
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await bench.write(sink, 1, 'SELECT 2 AS i')
  assert.deepEqual(await bench.connection.rows('FROM memory.main.result'), [{ i: 1 }, { i: 2 }])
  bench.close()
})

test('a table that begins in the middle of a query says so, as its earlier rows are gone', async () => {
  const bench = await Bench.open()
  const warnings: unknown[] = []
  const log = { ...silentLogger, warn: (about: unknown) => void warnings.push(about) } as Logger
  const rows = 'SELECT 1 AS i'
  await bench.write(await memoryFormat.open({ ...CONTEXT, log, queryName: 'fresh' }), 0, rows)
  await bench.write(
    await memoryFormat.open({ ...CONTEXT, log, queryName: 'all', outputMode: 'complete' }),
    8,
    rows,
  )
  assert.deepEqual(warnings, [])
  await bench.write(await memoryFormat.open({ ...CONTEXT, log }), 8, rows)
  assert.deepEqual(warnings, [{ table: 'out', batch: 8 }])
  bench.close()
})

test('an empty name is no name', async () => {
  await assert.rejects(memoryFormat.open({ ...CONTEXT, queryName: '' }), { code: 'SINK_NEEDS_NAME' })
})

test('a name is required, and update mode is not taken', async () => {
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const { writeStream } = session.readStream.format(stream).load().groupBy('word').count()
  await assert.rejects(writeStream.outputMode('complete').format('memory').start(), {
    code: 'SINK_NEEDS_NAME',
  })
  await assert.rejects(writeStream.outputMode('update').format('memory').queryName('q').start(), {
    code: 'SINK_MODE',
  })
  await session.close()
})
