import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { count } from '../../../src/api/functions.ts'
import { Session } from '../../../src/api/session.ts'
import { Database, type Row } from '../../../src/duckdb.ts'
import { silentLogger } from '../../../src/log.ts'
import { duckdbFormat } from '../../../src/sinks/duckdb/format.ts'
import { MemoryStream } from '../../../src/sources/memory.ts'
import { Bench } from '../../conformance/sink.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const format = duckdbFormat
const newFile = () => join(temporaryDirectory(), 'x.duckdb')

/** What another program finds in the file. */
async function read(path: string, sql: string): Promise<Row[]> {
  const database = await Database.open()
  const connection = await database.connect()
  await connection.run(`ATTACH '${path}' AS f (READ_ONLY)`)
  const rows = await connection.rows(sql)
  connection.close()
  database.close()
  return rows
}

const child = (name: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, name), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })

test('update mode replaces the rows of a key, also of a null one, and keeps columns of others', async () => {
  const path = newFile()
  const bench = await Bench.open()
  await bench.connection.run(`ATTACH '${path}' AS mine`)
  await bench.connection.run('CREATE SCHEMA mine.app')
  await bench.connection.run(
    "CREATE TABLE mine.app.t (v BIGINT, note VARCHAR DEFAULT 'new', a INTEGER, b VARCHAR)",
  )
  await bench.connection.run("INSERT INTO mine.app.t VALUES (0, 'kept', 1, 'x')")
  await bench.connection.run('DETACH mine')
  const shape = "SELECT 1 AS a, 'x' AS b, 2::BIGINT AS v"
  const sink = await bench.open(format, shape, 'update', { path, table: 'app.t', key: 'A, b' })
  await bench.write(sink, 0, "FROM (VALUES (1, 'x', 7::BIGINT), (NULL, NULL, 8), (2, 'x', 9)) t(a, b, v)")
  // Of two rows of one key in a batch, the last counts.
  await bench.write(sink, 1, "FROM (VALUES (NULL, NULL, 1::BIGINT), (2, 'x', 2), (2, 'x', 3)) t(a, b, v)")
  await bench.write(sink, 1, 'SELECT 1 AS a, NULL AS b, 2::BIGINT AS v')
  await sink.close()
  bench.close()
  assert.deepEqual(await read(path, 'SELECT a, b, v, note FROM f.app.t ORDER BY a'), [
    { a: 1, b: 'x', v: 7n, note: 'kept' },
    { a: 2, b: 'x', v: 3n, note: 'new' },
    { a: null, b: null, v: 1n, note: 'new' },
  ])
})

test('a key of all columns adds what is not there yet', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const sink = await bench.open(format, 'SELECT 1 AS a', 'update', { path, table: 't', key: 'a' })
  await bench.write(sink, 0, 'SELECT 1 AS a')
  await bench.write(sink, 1, 'FROM (VALUES (1), (2)) t(a)')
  await sink.close()
  bench.close()
  assert.deepEqual(await read(path, 'FROM f.t ORDER BY a'), [{ a: 1 }, { a: 2 }])
})

test('a query counts on after a restart, and other processes read in between', async () => {
  const [path, checkpointLocation] = [newFile(), temporaryDirectory()]
  const stream = new MemoryStream({ word: 'VARCHAR' })
  for (const words of [
    ['a', 'b', 'a'],
    ['b', 'c'],
  ]) {
    const session = await Session.create({ log: silentLogger })
    const counts = session.readStream.format(stream).load().groupBy('word').count()
    const query = await counts.writeStream
      .outputMode('update')
      .format('duckdb')
      .options({ path, checkpointLocation, table: 'counts', key: 'word' })
      .start()
    stream.add(...words.map((word) => ({ word })))
    await query.processAllAvailable()
    assert.equal(
      (await read(path, 'SELECT count(*) AS n FROM f.counts'))[0]?.['n'],
      words[0] === 'a' ? 2n : 3n,
    )
    await session.close()
  }
  assert.deepEqual(await read(path, 'FROM f.counts ORDER BY word'), [
    { word: 'a', count: 2n },
    { word: 'b', count: 2n },
    { word: 'c', count: 1n },
  ])
})

test('toTable starts a query into the table of that name', async () => {
  const path = join(temporaryDirectory(), 'app.duckdb')
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  stream.add({ word: 'a' }, { word: 'b' }, { word: 'a' })
  const counts = session.readStream.format(stream).load().groupBy('word').agg(count().as('n'))
  const writer = counts.writeStream.outputMode('update').trigger({ availableNow: true })
  const query = await writer.options({ path, key: 'word' }).toTable('app.counts')
  await query.awaitTermination()
  await assert.rejects(counts.writeStream.toTable('counts'), { code: 'OPTION_MISSING', message: /path/ })
  await session.close()
  assert.deepEqual(await read(path, 'FROM f.app.counts ORDER BY word'), [
    { word: 'a', n: 2n },
    { word: 'b', n: 1n },
  ])
})

test('a file that the session has attached is written through that attachment', async () => {
  const path = newFile()
  const session = await Session.create({ log: silentLogger })
  await session.run(`ATTACH '${path}' AS app`)
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const words = session.readStream.format(stream).load()
  const query = await words.writeStream.format('duckdb').options({ path, table: 'words' }).start()
  stream.add({ word: 'a' })
  await query.processAllAvailable()
  assert.deepEqual(await session.sql('SELECT * FROM app.words').collect(), [{ word: 'a' }])
  await query.stop()
  assert.deepEqual(await session.sql('SELECT * FROM app.words').collect(), [{ word: 'a' }])
  await session.close()
})

test('two queries append to one table, and a batch of each has one effect', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const options = { path, table: 't' }
  const first = await bench.open(format, 'SELECT 1 AS i', 'append', options)
  const second = await bench.open(format, 'SELECT 1 AS i', 'append', options, 'query 2')
  const other = await Bench.open()
  const write = async () => {
    await Promise.all([bench.write(first, 0, 'SELECT 1 AS i'), other.write(second, 0, 'SELECT 2 AS i')])
  }
  await write()
  await write()
  for (const sink of [first, second]) await sink.close()
  for (const each of [bench, other]) each.close()
  assert.deepEqual(await read(path, 'FROM f.t ORDER BY i'), [{ i: 1 }, { i: 2 }])
})

test('wherever a process is killed, the batches before and after are in the table once', async () => {
  const path = newFile()
  let next = 0
  for (const kill of [3, 6]) {
    const writer = child('writing-child.ts', path, String(next))
    for await (const line of createInterface(writer.stdout!)) {
      // The next start writes the last batch again, as after a crash before its commit.
      next = Number(line)
      if (next >= kill) break
    }
    // It is in the middle of one of the next batches.
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    const found = await read(path, 'SELECT batch, count(*) AS n FROM f.t GROUP BY batch ORDER BY batch')
    const [last] = await read(path, 'SELECT batch FROM f.sluice.batches')
    assert.deepEqual(
      found,
      Array.from({ length: Number(last?.['batch']) + 1 }, (_, batch) => ({ batch, n: 1000n })),
    )
    assert.ok(Number(last?.['batch']) >= next)
  }
})

test('a batch waits for a reader of the file, and fails when it stays', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const open = (lockTimeout: string) =>
    bench.open(format, 'SELECT 1 AS i', 'append', { path, table: 't', lockTimeout })
  const [impatient, patient] = [await open('1ms'), await open('5m')]
  await bench.write(impatient, 0, 'SELECT 1 AS i')
  const holder = child('holding-child.ts', path)
  await once(holder.stdout!, 'data')
  await assert.rejects(bench.write(impatient, 1, 'SELECT 2 AS i'), { code: 'SINK_LOCKED' })
  const writing = bench.write(patient, 1, 'SELECT 2 AS i')
  holder.stdin!.end()
  await once(holder, 'exit')
  await writing
  for (const sink of [impatient, patient]) await sink.close()
  bench.close()
  assert.deepEqual(await read(path, 'FROM f.t ORDER BY i'), [{ i: 1 }, { i: 2 }])
})

test('a file that is kept open is closed to other sinks of the process until the query ends', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const link = join(dirname(path), 'link.duckdb')
  const keeper = await bench.open(format, 'SELECT 1 AS i', 'append', {
    path,
    table: 't',
    detachBetweenBatches: false,
  })
  await bench.write(keeper, 0, 'SELECT 1 AS i')
  symlinkSync(path, link)
  const options = { path: link, table: 'u', lockTimeout: 0 }
  const other = await bench.open(format, 'SELECT 1 AS i', 'append', options)
  const message = /another sink of this process/
  await assert.rejects(bench.write(other, 0, 'SELECT 1 AS i'), { code: 'SINK_LOCKED', message })
  await bench.write(keeper, 1, 'SELECT 2 AS i')
  await keeper.close()
  await bench.write(other, 0, 'SELECT 1 AS i')
  await other.close()
  bench.close()
  assert.deepEqual(await read(path, 'FROM f.t ORDER BY i'), [{ i: 1 }, { i: 2 }])
})

test('a table that does not fit is left as it is', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const first = await bench.open(format, 'SELECT 1 AS i', 'append', { path, table: 't' })
  await bench.write(first, 0, 'SELECT 1 AS i')
  const refused = async (sql: string, mode: 'append' | 'complete', message: RegExp, table = 'T') => {
    const sink = await bench.open(format, sql, mode, { path, table }, 'query 2')
    await assert.rejects(bench.write(sink, 0, sql), { code: 'SINK_TABLE', message })
    await sink.close()
  }
  await refused('SELECT 1 AS i', 'complete', /not made by this query/)
  await refused("SELECT 'x' AS i", 'append', /i of type INTEGER where the query gives VARCHAR/)
  await refused('SELECT 1 AS i, 2 AS j', 'append', /no column j/)
  await first.close()
  bench.close()
  assert.deepEqual(await read(path, 'FROM f.t'), [{ i: 1 }])
})

test('a constraint of the table that the rows break fails the batch, and another batch can follow', async () => {
  const path = newFile()
  const bench = await Bench.open()
  await bench.connection.run(`ATTACH '${path}' AS mine`)
  await bench.connection.run('CREATE TABLE mine.t (i INTEGER CHECK (i < 5))')
  await bench.connection.run('DETACH mine')
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append', { path, table: 't' })
  await assert.rejects(bench.write(sink, 0, 'SELECT 9 AS i'), { code: 'SINK_FAILED', message: /CHECK/ })
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await sink.close()
  bench.close()
  assert.deepEqual(await read(path, 'FROM f.t'), [{ i: 1 }])
})

test('what cannot be a database file is refused', async () => {
  const folder = temporaryDirectory()
  const bench = await Bench.open()
  const open = (path: string) => bench.open(format, 'SELECT 1 AS i', 'append', { path, table: 't' })
  mkdirSync(join(folder, 'folder'))
  writeFileSync(join(folder, 'text'), 'no database at all'.repeat(1000))
  const code = 'SINK_PATH'
  await assert.rejects(open(join(folder, 'folder')), { code, message: /it is not a file/ })
  await assert.rejects(open(join(folder, 'none', 'x.duckdb')), { code, message: /directory is not there/ })
  await assert.rejects(open(':memory:'), { code, message: /gone with the session/ })
  await assert.rejects(open('s3://bucket/x.duckdb'), { code })
  const sink = await open(join(folder, 'text'))
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code, message: /not a valid DuckDB/ })
  await sink.close()
  bench.close()
})

test('options that make no sense are refused', async () => {
  const path = newFile()
  const bench = await Bench.open()
  const refused = (mode: 'append' | 'update' | 'complete', options: object, code: string) =>
    assert.rejects(bench.open(format, 'SELECT 1 AS i', mode, { path, table: 't', ...options }), { code })
  await refused('update', {}, 'OPTION_MISSING')
  await refused('update', { key: 'j' }, 'OPTION_INVALID')
  await refused('append', { key: 'i' }, 'OPTION_INVALID')
  await refused('complete', { key: 'i' }, 'OPTION_INVALID')
  for (const table of ['a.b.c', '.t', 't.', 'sluice.batches'])
    await refused('append', { table }, 'OPTION_INVALID')
  await refused('append', { table: '' }, 'OPTION_MISSING')
  bench.close()
})
