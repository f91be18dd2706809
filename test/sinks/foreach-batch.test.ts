import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { Relation, type Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { BatchRows } from '../../src/sinks/foreach-batch.ts'
import { foreachBatchFormat } from '../../src/sinks/foreach-batch.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { Bench } from '../conformance/sink.ts'

test('the rows come as Arrow and as objects', async () => {
  const bench = await Bench.open()
  const seen: unknown[] = []
  const format = foreachBatchFormat(async (batch, batchId) => {
    const table = await batch.toArrow()
    assert.equal(await batch.toArrow(), table)
    seen.push(batchId, batch.rows, batch.schema, table.getChild('s')?.toJSON(), await batch.toObjects())
  })
  const sql = "SELECT i::INTEGER AS i, 's' || i AS s FROM range(2) r(i)"
  await bench.write(await bench.open(format, sql, 'update'), 3, sql)
  assert.deepEqual(seen, [
    3,
    2,
    [
      { name: 'i', type: 'INTEGER' },
      { name: 's', type: 'VARCHAR' },
    ],
    ['s0', 's1'],
    [
      { i: 0, s: 's0' },
      { i: 1, s: 's1' },
    ],
  ])
  bench.close()
})

test('rows asked for too late are refused, also those that were read before', async () => {
  const bench = await Bench.open()
  const kept: BatchRows[] = []
  const format = foreachBatchFormat(async (batch, batchId) => {
    kept.push(batch)
    if (batchId === 1) await batch.toObjects()
    if (batchId === 2) throw new Error('refused by the database')
  })
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append')
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await bench.write(sink, 1, 'SELECT 1 AS i')
  await assert.rejects(bench.write(sink, 2, 'SELECT 1 AS i'), /refused by the database/)
  assert.equal(kept.length, 3)
  for (const batch of kept) {
    await assert.rejects(batch.toObjects(), { code: 'BATCH_OVER' })
    await assert.rejects(batch.toArrow(), { code: 'BATCH_OVER' })
  }
  bench.close()
})

test('a read that was begun and not awaited gives the rows of its own batch', async () => {
  const bench = await Bench.open()
  const reads: Promise<Row[]>[] = []
  const format = foreachBatchFormat((batch) => {
    // Both at once: a connection runs one statement at a time.
    reads.push(batch.toArrow().then((table) => table.toArray().map((row) => ({ i: row?.['i'] }))))
    reads.push(batch.toObjects())
  })
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append')
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await bench.write(sink, 1, 'SELECT 2 AS i')
  assert.deepEqual(await Promise.all(reads), [[{ i: 1 }], [{ i: 1 }], [{ i: 2 }], [{ i: 2 }]])
  bench.close()
})

test('a read that fails does not stand in the way of the next', async () => {
  const bench = await Bench.open()
  const reads: PromiseSettledResult<unknown>[] = []
  const format = foreachBatchFormat(async (batch) => {
    reads.push(...(await Promise.allSettled([batch.toArrow(), batch.toObjects()])))
  })
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append')
  const { connection, schema, name } = await bench.relation('SELECT 1 AS i')
  const relation = new Relation(connection, name, schema, 1)
  relation.toArrow = () => connection.arrow('FROM no_such_table')
  await sink.write(0, relation)
  assert.deepEqual(
    reads.map((read) => read.status),
    ['rejected', 'fulfilled'],
  )
  bench.close()
})

test('what the function throws ends the query, names the batch and is the cause', async () => {
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const thrown = new Error('refused by the database')
  const words = session.readStream.format(stream).load()
  const query = await words.writeStream
    .foreachBatch((_batch, batchId) => {
      if (batchId === 1) throw thrown
    })
    .start()
  stream.add({ word: 'a' })
  await query.processAllAvailable()
  stream.add({ word: 'b' })
  await assert.rejects(query.awaitTermination(), (error) => {
    assert.ok(hasCode(error, 'SINK_FAILED'))
    assert.deepEqual(error.params, { sink: 'foreachBatch', batch: 1, reason: 'refused by the database' })
    assert.equal(error.cause, thrown)
    return true
  })
  await session.close()
})
