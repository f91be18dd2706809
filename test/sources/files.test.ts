import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Session } from '../../src/api/session.ts'
import type { Batch, Position } from '../../src/batch.ts'
import { systemClock } from '../../src/clock.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import { fileFormat } from '../../src/sinks/file/format.ts'
import { filesFormat } from '../../src/sources/files/format.ts'
import type { FileKind } from '../../src/sources/files/options.ts'
import type { Read, Source } from '../../src/sources/source.ts'
import { Bench } from '../conformance/sink.ts'
import { s3Output } from '../sinks/file/s3-output.ts'
import { hastyClock } from '../support/hasty-clock.ts'

const never = new AbortController().signal
const made: string[] = []
after(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

function temporaryDirectory(): string {
  made.push(mkdtempSync(join(tmpdir(), 'sluice-files-')))
  return made.at(-1) ?? ''
}

function open(
  kind: FileKind,
  schema: Readonly<Record<string, string>>,
  options: Readonly<Record<string, OptionValue>>,
): Source {
  const columns = Object.entries(schema).map(([name, type]) => ({ name, type }))
  const given = new Map(Object.entries(options))
  return filesFormat(kind).open({ options: given, columns, clock: systemClock, log: silentLogger })
}

const rowsOf = (batch: Batch | undefined) =>
  (batch?.records ?? []).flatMap((records) => [...records].map((row) => row.toJSON()))

/** What is there, and where it ends. */
async function readAll(source: Source): Promise<{ rows: object[]; end: Position; files: string[] }> {
  const { batch } = await source.read(await source.initial(), never)
  const end = batch?.range.end ?? (await source.initial())
  const { files } = end as { files: [string][] }
  return { rows: rowsOf(batch), end, files: files.map(([path]) => path) }
}

const HARD = `
  SELECT i, CASE i WHEN 0 THEN '' WHEN 1 THEN 'é\t"' || i || chr(10) END AS s, {'x': i, 'l': [i, NULL]} AS nested,
    TIMESTAMP '2026-01-01 00:00:00.000001' AS ts, sum(i) OVER () AS h, ('a/b=%' || i) AS p
  FROM range(3) r(i)`
const HARD_SCHEMA = {
  p: 'VARCHAR',
  i: 'BIGINT',
  s: 'VARCHAR',
  nested: 'STRUCT(x BIGINT, l BIGINT[])',
  ts: 'TIMESTAMP',
  h: 'HUGEINT',
}

for (const kind of ['parquet', 'json', 'csv'] as const) {
  test(`what a sink wrote as ${kind} comes back, and nothing that it did not commit`, async () => {
    const path = join(temporaryDirectory(), 'out')
    const bench = await Bench.open()
    const sink = await bench.open(fileFormat(kind), HARD, 'append', { path, partitionBy: 'p' })
    const source = open(kind, HARD_SCHEMA, { path })
    assert.deepEqual(await source.read(await source.initial(), never), { drained: true })
    await bench.write(sink, 0, `${HARD} LIMIT 0`)
    await bench.write(sink, 1, HARD)
    await sink.close()
    const [folder = ''] = readdirSync(path).filter((name) => name !== '_sluice')
    writeFileSync(join(path, folder, `batch-00000002-aaaaaaaaaaaa-0b5c.0.${kind}`), 'no file of this kind')
    const { batch } = await source.read(await source.initial(), never)
    const select = `SELECT p, i, s, nested, ts, h FROM (${HARD})`
    const columns = Object.entries(HARD_SCHEMA).map(([name, type]) => ({ name, type }))
    await bench.connection.attach('read', columns, batch?.records ?? [])
    assert.deepEqual(
      await bench.connection.rows('FROM read ORDER BY i'),
      await bench.connection.rows(`SELECT * FROM (${select}) ORDER BY i`),
    )
    await source.close()
    bench.close()
  })
}

test('plain files come in the order of their times; hidden ones and empty ones are passed by', async () => {
  const path = temporaryDirectory()
  const source = open('csv', { b: 'VARCHAR', a: 'INTEGER', day: 'DATE' }, { path, nullValue: 'NA' })
  mkdirSync(join(path, 'day=2026-01-31'))
  mkdirSync(join(path, '_temporary'))
  let seconds = 0
  for (const [name, text] of [
    ['day=2026-01-31/z.csv.gz', gzipSync('a,b\n1,"x, y"\n')],
    ['empty.csv', 'a,b\n'],
    ['a.csv', 'b,other\nNA,9\n'],
    ['_temporary/0.csv', 'a\n7\n'],
    ['.hidden.csv', 'a\n8\n'],
  ] as const) {
    writeFileSync(join(path, name), text)
    utimesSync(join(path, name), ++seconds, seconds)
  }
  const { rows, files, end } = await readAll(source)
  assert.deepEqual(files, ['day=2026-01-31/z.csv.gz', 'empty.csv', 'a.csv'])
  const day = Date.UTC(2026, 0, 31)
  assert.deepEqual(rows, [
    { b: 'x, y', a: 1, day },
    { b: null, a: null, day: null },
  ])
  assert.deepEqual(await source.read(end, never), { drained: true })
  writeFileSync(join(path, 'b.csv'), 'a,b\n2,c\n')
  assert.deepEqual(rowsOf((await source.read(end, never)).batch), [{ b: 'c', a: 2, day: null }])
  await source.close()
})

test('a batch ends at a number of files and at a number of bytes', async () => {
  const path = temporaryDirectory()
  for (let i = 0; i < 5; i++) writeFileSync(join(path, `${i}.json`), `{"i":${i}}\n`)
  for (const [options, sizes] of [
    [{ maxFilesPerTrigger: 2 }, [2, 2, 1]],
    [{ maxBytesPerTrigger: 24 }, [3, 2]],
    [{ maxBytesPerTrigger: 1 }, [1, 1, 1, 1, 1]],
  ] as const) {
    const source = open('json', { i: 'BIGINT' }, { path, ...options })
    const found: number[] = []
    for (let from = await source.initial(), drained = false; !drained; ) {
      const read = await source.read(from, never)
      if (read.batch) found.push(read.batch.rows)
      from = read.batch?.range.end ?? from
      drained = read.drained
    }
    assert.deepEqual(found, sizes)
    await source.close()
  }
})

test('a file that changed or vanished is data lost, and says so', async () => {
  const path = temporaryDirectory()
  const file = join(path, 'a.json')
  writeFileSync(file, '{"i":1}\n')
  const source = open('json', { i: 'BIGINT' }, { path })
  const start = await source.initial()
  const { batch } = await source.read(start, never)
  const range = batch?.range ?? { start, end: start }
  appendFileSync(file, '{"i":2}\n')
  const lost = { code: 'DATA_LOST', message: /a\.json.*changed/ }
  await assert.rejects(source.reread(range), lost)
  await assert.rejects(source.read(range.end, never), lost)
  unlinkSync(file)
  await assert.rejects(source.reread(range), { code: 'DATA_LOST', message: /a\.json.*gone/ })
  assert.deepEqual(await source.read(range.end, never), { drained: true }, 'a file may go once it was read')
  writeFileSync(join(path, 'bad.json'), '{"i":"secret"}\n')
  await assert.rejects(source.read(range.end, never), (error: Error & { code?: ErrorCode }) => {
    assert.equal(error.code, 'FILE_UNREADABLE')
    assert.match(error.message, /bad\.json/)
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
  await source.close()
})

test('what cannot be read as it is asked is refused', async () => {
  const path = temporaryDirectory()
  const bench = await Bench.open()
  const sink = await bench.open(fileFormat('csv'), 'SELECT 1 AS i', 'append', { path })
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await sink.close()
  bench.close()
  const other = open('json', { i: 'BIGINT' }, { path })
  const reading = other.read(await other.initial(), never)
  await assert.rejects(reading, { code: 'FILES_PATH', message: /a sink writes csv there/ })
  await assert.rejects(other.resume({ version: 1, at: { kind: 'x' }, files: [] }), { code: 'FILES_POSITION' })
  await other.close()
  assert.throws(() => open('csv', {}, { path }), { code: 'FILES_SCHEMA' })
  assert.throws(() => open('csv', { i: 'BIGINT' }, { path, delimiter: '||' }), { code: 'OPTION_INVALID' })
  assert.throws(() => open('csv', { i: 'BIGINT' }, { path, latestFirst: true }), { code: 'OPTION_INVALID' })
  assert.throws(() => open('csv', { i: 'BIGINT' }, { path, 's3.region': 'x' }), { code: 'OPTION_UNKNOWN' })
})

test('a query over files goes on after a restart, in SQL as in TypeScript', async () => {
  const [path, checkpointLocation] = [temporaryDirectory(), temporaryDirectory()]
  const seen: unknown[] = []
  for (const i of [1, 2, 3]) {
    writeFileSync(join(path, `${i}.json`), `{"word":"w${i}","extra":true}\n`)
    const session = await Session.create({ log: silentLogger })
    if (i === 2) {
      await session.run(`CREATE STREAM words (word STRING) USING json OPTIONS (path '${path}')`)
    } else {
      session.readStream
        .format('json')
        .option('path', path)
        .schema('word STRING')
        .load()
        .createOrReplaceTempView('words')
    }
    const query = await session
      .sql('SELECT upper(word) AS word FROM words')
      .writeStream.trigger({ availableNow: true })
      .option('checkpointLocation', checkpointLocation)
      .foreachBatch(async (batch) => void seen.push(...(await batch.toObjects())))
      .start()
    await query.awaitTermination()
    await session.close()
  }
  assert.deepEqual(seen, [{ word: 'W1' }, { word: 'W2' }, { word: 'W3' }])
})

test('a directory is read once as it is now, by the ledger where there is one', async () => {
  const path = temporaryDirectory()
  const session = await Session.create({ log: silentLogger })
  await assert.rejects(session.read.parquet(path), { code: 'FILES_PATH', message: /no file yet/ })
  const bench = await Bench.open()
  const options = { path, targetFileSize: '1MiB', mergeInterval: 2 }
  const sink = await bench.open(fileFormat('parquet'), 'SELECT 1 AS i', 'append', options)
  for (const batchId of [0, 1, 2]) await bench.write(sink, batchId, `SELECT ${batchId}::INTEGER AS i`)
  await sink.close()
  bench.close()
  // Replaced files are still there, and one that no batch names.
  assert.equal(readdirSync(path).filter((name) => name.endsWith('.parquet')).length, 4)
  writeFileSync(join(path, 'stray.parquet'), 'no Parquet at all')
  const rows = await (await session.read.parquet(path)).collect()
  assert.deepEqual(rows.map(({ i }) => i).sort(), [0, 1, 2])
  await assert.rejects(session.read.csv(path), { code: 'FILES_PATH', message: /writes parquet there/ })
  await assert.rejects(session.read.csv('s3://bucket/x'), { code: 'FILES_PATH', message: /as a stream/ })
  const plain = temporaryDirectory()
  writeFileSync(join(plain, 'a.csv'), 'i\n1\n')
  writeFileSync(join(plain, '_b.csv'), 'i\n2\n')
  assert.deepEqual(await (await session.read.csv(plain)).collect(), [{ i: 1n }])
  await session.close()
})

test('an idle follower in a bucket asks for the next entry of the ledger, and seldom for the list', async () => {
  const { double, next } = await s3Output()
  const place = next()
  const bench = await Bench.open()
  const sink = await bench.open(fileFormat('json'), 'SELECT 1 AS i', 'append', place.options)
  await bench.write(sink, 0, 'SELECT 1 AS i')
  const options = new Map(Object.entries({ ...place.options, 's3.maxRetryTime': '3s' }))
  const columns = [{ name: 'i', type: 'BIGINT' }]
  const source = filesFormat('json').open({ options, columns, clock: hastyClock, log: silentLogger })
  let at = (await source.read(await source.initial(), never)).batch?.range.end as Position
  double.clearCalls()
  const idle: Read[] = []
  for (let look = 0; look < 21; look++) idle.push(await source.read(at, never))
  assert.ok(idle.every(({ batch }) => batch === undefined))
  assert.deepEqual(
    idle.flatMap(({ drained }, look) => (drained ? [look] : [])),
    [0, 10, 20],
    'only a list says that nothing is left',
  )
  const asked = (operation: string) => double.calls.filter((call) => call.operation === operation).length
  assert.deepEqual([asked('ListObjectsV2'), asked('GetObject'), double.calls.length], [3, 21, 24])
  await bench.write(sink, 1, 'SELECT 2 AS i')
  // Batches that had nothing to write leave a gap.
  await bench.write(sink, 7, 'SELECT 3 AS i')
  const found: object[] = []
  for (let look = 0; look < 12; look++) {
    const { batch } = await source.read(at, never)
    if (batch) at = batch.range.end
    found.push(...rowsOf(batch))
  }
  assert.deepEqual(found, [{ i: 2n }, { i: 3n }])
  await source.close()
  await sink.close()
  bench.close()
})
