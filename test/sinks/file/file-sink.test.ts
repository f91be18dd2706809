import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { Session } from '../../../src/api/session.ts'
import { diskCalls } from '../../../src/durable-file.ts'
import { silentLogger } from '../../../src/log.ts'
import { fileFormat } from '../../../src/sinks/file/format.ts'
import { MemoryStream } from '../../../src/sources/memory.ts'
import { Bench } from '../../conformance/sink.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { systemError } from './faulty-disk.ts'

const [parquet, json, csv] = (['parquet', 'json', 'csv'] as const).map((kind) => fileFormat(kind)) as [
  ReturnType<typeof fileFormat>,
  ReturnType<typeof fileFormat>,
  ReturnType<typeof fileFormat>,
]

/** Runs SQL in a process that knows DuckDB and nothing of this project. */
function elsewhere(sql: string): unknown {
  const program = `
    const { DuckDBInstance } = require('@duckdb/node-api')
    DuckDBInstance.create().then((i) => i.connect()).then((c) => c.runAndReadAll(process.argv[1]))
      .then((r) => console.log(JSON.stringify(r.getRowObjectsJson())))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, sql], { encoding: 'utf8' })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

const ROWS = `
  SELECT * FROM (VALUES
    (1, 'a/b=%é', 170141183460469231731687303715::HUGEINT, [{'h': 7::HUGEINT}]),
    (2, NULL, NULL, NULL), (3, 'c', 5::HUGEINT, [])) t(i, p, h, nested)`

test('a fresh process reads partitioned Parquet, with 128-bit integers exact', async () => {
  const path = join(temporaryDirectory(), "it's out")
  const bench = await Bench.open()
  const sink = await bench.open(parquet, ROWS, 'append', { path, partitionBy: 'P', rowGroupRows: 2048 })
  await bench.write(sink, 0, ROWS)
  await sink.close()
  bench.close()
  const from = `read_parquet('${path.replace("'", "''")}/**/*.parquet', hive_partitioning = true)`
  assert.deepEqual(elsewhere(`SELECT i, p, h, nested::VARCHAR AS n FROM ${from} ORDER BY i`), [
    { i: 1, p: 'a/b=%é', h: '170141183460469231731687303715', n: "[{'h': 7}]" },
    { i: 2, p: null, h: null, n: null },
    { i: 3, p: 'c', h: '5', n: '[]' },
  ])
})

test('a fresh process reads partitioned and compressed JSON and CSV', async () => {
  const rows = `
    SELECT i, 'p' || i % 2 AS p, CASE WHEN i = 1 THEN 'a "b", c' || chr(10) || 'd' WHEN i = 2 THEN '' END AS s
    FROM range(3) r(i)`
  const csvReader = `delim = '\t', quote = '"', escape = '"', nullstr = 'NA', header = false,
    columns = {i: 'BIGINT', s: 'VARCHAR'}, hive_partitioning = true`
  const csvOptions = { sep: 'tab', nullValue: 'NA', header: false }
  const bench = await Bench.open()
  const sources: string[] = []
  for (const [compression, suffix] of [
    ['none', ''],
    ['gzip', '.gz'],
    ['zstd', '.zst'],
  ]) {
    const [inJson, inCsv] = [temporaryDirectory(), temporaryDirectory()]
    const options = { partitionBy: 'p', compression }
    const sinks = [
      await bench.open(json, rows, 'append', { ...options, path: inJson }),
      await bench.open(csv, rows, 'append', { ...options, ...csvOptions, path: inCsv }),
    ]
    for (const sink of sinks) {
      await bench.write(sink, 0, rows)
      await sink.close()
    }
    sources.push(`read_json('${inJson}/**/*.json${suffix}')`)
    sources.push(`read_csv('${inCsv}/**/*.csv${suffix}', ${csvReader})`)
  }
  bench.close()
  const selects = sources.map((source, place) => `SELECT ${place} AS place, i, p, s FROM ${source}`)
  assert.deepEqual(
    elsewhere(`${selects.join(' UNION ALL ')} ORDER BY place, i`),
    sources.flatMap((_, place) => [
      { place, i: '0', p: 'p0', s: null },
      { place, i: '1', p: 'p1', s: 'a "b", c\nd' },
      { place, i: '2', p: 'p0', s: '' },
    ]),
  )
})

test('a manifest names the files of its batch with their sizes and checksums', async () => {
  const path = join(temporaryDirectory(), 'out')
  const bench = await Bench.open()
  const rows = "SELECT i, i % 2 AS p, 'x' AS s FROM range(10) r(i)"
  const sink = await bench.open(parquet, rows, 'append', { path, partitionBy: 'p' }, 'query 7')
  await bench.write(sink, 5, rows)
  await bench.write(sink, 6, `${rows} WHERE false`)
  await sink.close()
  bench.close()
  const read = (name: string) => JSON.parse(readFileSync(join(path, '_sluice', name), 'utf8'))
  const { files, ...rest } = read('5')
  assert.deepEqual(rest, { version: 1, queryId: 'query 7', batchId: 5, rows: 10 })
  assert.deepEqual(files.map((file: { path: string }) => file.path.split('/')[0]).sort(), ['p=0', 'p=1'])
  for (const file of files) {
    assert.equal(statSync(join(path, file.path)).size, file.bytes)
    assert.equal(crc32(readFileSync(join(path, file.path))), Number.parseInt(file.crc32, 16))
  }
  assert.deepEqual(read('6'), { version: 1, queryId: 'query 7', batchId: 6, rows: 0, files: [] })
  assert.deepEqual(readdirSync(join(path, '_sluice')).sort(), ['5', '6', 'query'])
})

test('a query goes on after a restart and writes each row once', async () => {
  const [path, checkpointLocation] = [join(temporaryDirectory(), 'out'), temporaryDirectory()]
  const stream = new MemoryStream({ word: 'VARCHAR' })
  for (const word of ['a', 'b']) {
    const session = await Session.create({ log: silentLogger })
    const query = await session.readStream
      .format(stream)
      .load()
      .writeStream.format('parquet')
      .options({ path, checkpointLocation })
      .start()
    stream.add({ word })
    await query.processAllAvailable()
    await session.close()
  }
  assert.deepEqual(elsewhere(`SELECT word FROM read_parquet('${path}/**/*.parquet') ORDER BY word`), [
    { word: 'a' },
    { word: 'b' },
  ])
})

test('a directory of another query, format or partitioning is refused at the start', async () => {
  const path = temporaryDirectory()
  const bench = await Bench.open()
  const open = (format = csv, options = {}, queryId = 'query 1') =>
    bench.open(format, 'SELECT 1 AS i, 2 AS p', 'append', { path, ...options }, queryId)
  const [sink, rival] = [await open(), await open(csv, {}, 'query 2')]
  await bench.write(sink, 0, 'SELECT 1 AS i, 2 AS p')
  const code = 'SINK_PATH_TAKEN'
  await assert.rejects(open(csv, {}, 'query 2'), { code, message: /belongs to query query 1/ })
  await assert.rejects(open(json), { code, message: /with csv before/ })
  await assert.rejects(open(csv, { partitionBy: 'p' }), { code, message: /by no column before/ })
  await assert.rejects(bench.write(rival, 0, 'SELECT 1 AS i, 2 AS p'), { code })
  for (const each of [sink, rival]) await each.close()
  assert.equal(readdirSync(path).length, 2, 'one data file beside the ledger')
  bench.close()
})

test('a damaged ledger is an error that names the file', async () => {
  const path = temporaryDirectory()
  const bench = await Bench.open()
  const sink = await bench.open(csv, 'SELECT 1 AS i', 'append', { path })
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await sink.close()
  for (const [name, text, message] of [
    ['0', 'x', /_sluice\/0 of the sink csv.* is not JSON/],
    ['0', '{"version":1,"queryId":"query 1"}', /_sluice\/0 .* lacks/],
    ['query', '{"version":2}', /_sluice\/query .* has version 2 instead of 1/],
  ] as const) {
    writeFileSync(join(path, '_sluice', name), text)
    const opening = bench.open(csv, 'SELECT 1 AS i', 'append', { path })
    await assert.rejects(opening, { code: 'SINK_DAMAGED', message })
  }
  bench.close()
})

test('what the disk has against it is told with a code', async () => {
  const bench = await Bench.open()
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  const open = (path: string, calls = diskCalls) =>
    bench.open(fileFormat('csv', calls), 'SELECT 1 AS i', 'append', { path })
  await assert.rejects(open(file), { code: 'SINK_PATH', message: /it is a file/ })
  await assert.rejects(open(join(file, 'below')), { code: 'SINK_PATH' })
  await assert.rejects(open('ftp://host/out'), { code: 'SINK_PATH', message: /ftp:\/\/ is not supported/ })
  const failing = { rename: 'ENOSPC', link: 'EPERM', mkdir: 'EACCES', readdir: 'EIO' } as const
  const codes = { rename: 'SINK_FULL', link: 'SINK_PATH', mkdir: 'SINK_DENIED', readdir: 'SINK_IO' } as const
  for (const call of ['rename', 'link', 'mkdir', 'readdir'] as const) {
    const calls = { ...diskCalls, [call]: () => Promise.reject(systemError(failing[call])) }
    const sink = await open(join(temporaryDirectory(), 'out'), calls)
    await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code: codes[call] }, call)
    await sink.close()
  }
  bench.close()
})

test('a disk that is full while DuckDB writes is told as such, and the batch can come again', {
  skip: !existsSync('/dev/full') && 'this system has no /dev/full',
}, async () => {
  const path = join(temporaryDirectory(), 'out')
  const bench = await Bench.open()
  let isFull = true
  const mkdir = async (directory: string, options?: { recursive: boolean }) => {
    await diskCalls.mkdir(directory, options)
    if (isFull && basename(directory) === '0') symlinkSync('/dev/full', join(directory, 'unfinished'))
  }
  const calls = { ...diskCalls, mkdir: mkdir as typeof diskCalls.mkdir }
  const sink = await bench.open(fileFormat('csv', calls), 'SELECT 1 AS i', 'append', {
    path,
  })
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code: 'SINK_FULL', message: /No space left/ })
  isFull = false
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await sink.close()
  assert.deepEqual(await bench.connection.rows(`FROM read_csv('${path}/*.csv')`), [{ i: 1n }])
  bench.close()
})

test('a value that Parquet cannot hold fails the batch, and leaves nothing', async () => {
  const path = join(temporaryDirectory(), 'out')
  const rows = 'SELECT 170141183460469231731687303715884105727::HUGEINT AS h'
  const bench = await Bench.open()
  const sink = await bench.open(parquet, rows, 'append', { path })
  await assert.rejects(bench.write(sink, 0, rows), { code: 'SINK_FAILED' })
  await sink.close()
  assert.deepEqual(readdirSync(path, { recursive: true }).sort(), ['_sluice', '_sluice/query'])
  bench.close()
})

test('options that make no sense are refused', async () => {
  const bench = await Bench.open()
  const refused = async (options: object, code: string) =>
    assert.rejects(
      bench.open(csv, 'SELECT 1 AS i, 2 AS p', 'append', options),
      { code },
      JSON.stringify(options),
    )
  await refused({}, 'OPTION_MISSING')
  const path = temporaryDirectory()
  for (const partitionBy of ['q', '', 'p,p', 'p,P', 'i,p']) {
    await refused({ path, partitionBy }, 'OPTION_INVALID')
  }
  await refused({ path, delimiter: '||' }, 'OPTION_INVALID')
  await refused({ path, compression: 'rar' }, 'OPTION_INVALID')
  await refused({ path, rowGroupRows: 1 }, 'OPTION_UNKNOWN')
  bench.close()
})
