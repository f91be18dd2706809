import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { silentLogger } from '../../src/log.ts'
import { memoryFormat } from '../../src/sinks/memory.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { Bench } from '../conformance/sink.ts'

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

test('another query of the same name begins with an empty table', async () => {
  const bench = await Bench.open()
  const first = await bench.open(memoryFormat, 'SELECT 1 AS i', 'append', {}, 'query 1')
  await bench.write(first, 4, 'SELECT 1 AS i')
  const second = await bench.open(memoryFormat, "SELECT 'x' AS s", 'append', {}, 'query 2')
  await bench.write(second, 0, "SELECT 'x' AS s")
  assert.deepEqual(await bench.connection.rows('FROM memory.main.out'), [{ s: 'x' }])
  bench.close()
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
