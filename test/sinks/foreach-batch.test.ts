import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { Relation, type Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { BatchRows } from '../../src/sinks/foreach-batch.ts'
import { type ForeachBatch, foreachBatchFormat } from '../../src/sinks/foreach-batch.ts'
import { sinkFormats } from '../../src/sinks/index.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { Bench } from '../conformance/sink.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const foreachBatch = (write: ForeachBatch) => foreachBatchFormat(write, sinkFormats())

test('the rows come as Arrow and as objects', async () => {
  const bench = await Bench.open()
  const seen: unknown[] = []
  const format = foreachBatch(async (batch, batchId) => {
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
  const format = foreachBatch(async (batch, batchId) => {
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
  const format = foreachBatch((batch) => {
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
  const format = foreachBatch(async (batch) => {
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

test('one batch goes to several sinks, to each of them once, whatever crashes between them', async () => {
  const [files, file] = [join(temporaryDirectory(), 'out'), join(temporaryDirectory(), 'x.duckdb')]
  const checkpointLocation = temporaryDirectory()
  const words = new MemoryStream({ word: 'VARCHAR' })
  let crash = true
  const run = async () => {
    const session = await Session.create({ log: silentLogger })
    const query = await session.readStream
      .format(words)
      .load()
      .groupBy('word')
      .count()
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .option('checkpointLocation', checkpointLocation)
      .foreachBatch(async (batch) => {
        await batch.write('parquet', { path: files }, 'append')
        if (crash) throw new Error('the power went off')
        await batch.write('duckdb', { table: 'counts', path: file, key: 'word' })
      })
      .start()
    await query.awaitTermination().catch(() => undefined)
    await session.close()
    return query.exception
  }
  words.add({ word: 'a' }, { word: 'b' })
  assert.ok(await run())
  crash = false
  assert.equal(await run(), undefined)
  words.add({ word: 'a' })
  assert.equal(await run(), undefined)
  const bench = await Bench.open()
  const changes = await bench.connection.rows(
    `SELECT word, count FROM read_parquet('${files}/**/*.parquet') ORDER BY word, count`,
  )
  assert.deepEqual(changes, [
    { word: 'a', count: 1n },
    { word: 'a', count: 2n },
    { word: 'b', count: 1n },
  ])
  await bench.connection.run(`ATTACH '${file}' AS f (READ_ONLY)`)
  assert.deepEqual(await bench.connection.rows('FROM f.counts ORDER BY word'), [
    { word: 'a', count: 2n },
    { word: 'b', count: 1n },
  ])
  bench.close()
})

test('a sink that a batch cannot be written to fails it, with the code of the sink', async () => {
  const bench = await Bench.open()
  const wrong: [Parameters<BatchRows['write']>, string][] = [
    [['parqet', {}], 'FORMAT_UNKNOWN'],
    [['parquet', { path: '/x' }, 'update'], 'SINK_MODE'],
    [['parquet', { pth: '/x' }], 'OPTION_UNKNOWN'],
  ]
  for (const [call, code] of wrong) {
    const sink = await bench.open(
      foreachBatch((batch) => batch.write(...call)),
      'SELECT 1 AS i',
      'append',
    )
    await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code })
    await sink.close()
  }
  bench.close()
})
