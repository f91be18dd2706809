import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Position } from '../../../src/batch.ts'
import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import type { OptionValue } from '../../../src/options.ts'
import { fileFormat } from '../../../src/sinks/file/format.ts'
import type { SinkFormat } from '../../../src/sinks/sink.ts'
import { filesFormat } from '../../../src/sources/files/format.ts'
import { Bench } from '../../conformance/sink.ts'
import { forSeeds } from '../../support/seeds.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { dyingDisk } from './faulty-disk.ts'
import { s3Output } from './s3-output.ts'

type Options = Readonly<Record<string, OptionValue>>
const MERGING = { targetFileSize: '1MiB', mergeInterval: 2, keepReplaced: 0, partitionBy: 'p' }
const rowsOf = (batchId: number) => `SELECT ${batchId} * 2 + i AS i, i AS p FROM range(2) r(i)`

async function write(bench: Bench, format: SinkFormat, options: Options, batches: readonly number[]) {
  const sink = await bench.open(format, rowsOf(0), 'append', options)
  try {
    for (const batchId of batches) await bench.write(sink, batchId, rowsOf(batchId))
  } finally {
    await sink.close()
  }
}

/** What a reader of the ledger sees, from the beginning or from a place. */
async function readBy(options: Options, from?: Position): Promise<{ numbers: number[]; end: Position }> {
  const columns = [{ name: 'i', type: 'INTEGER' }]
  const { path } = options
  const reach = Object.entries(options).filter(([name]) => name.startsWith('s3.'))
  const given = new Map<string, OptionValue>([['path', String(path)], ...reach])
  const source = filesFormat('parquet').open({
    options: given,
    columns,
    clock: systemClock,
    log: silentLogger,
  })
  const start = from ?? (await source.initial())
  try {
    const { batch } = await source.read(start, new AbortController().signal)
    const rows = (batch?.records ?? []).flatMap((records) => [...records].map((row) => Number(row['i'])))
    return { numbers: rows.sort((a, b) => a - b), end: batch?.range.end ?? start }
  } finally {
    await source.close()
  }
}

const numbersTo = (count: number) => Array.from({ length: count }, (_, i) => i)
const dataFiles = (path: string) =>
  readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'))

test('small files are merged by partition; who follows the ledger reads each row once, before and after', async () => {
  const path = join(temporaryDirectory(), 'out')
  const options = { ...MERGING, path }
  const bench = await Bench.open()
  const parquet = fileFormat('parquet')
  await write(bench, parquet, options, [0])
  const follower = await readBy(options)
  await write(bench, parquet, options, [1, 1, 2])
  assert.deepEqual((await readBy(options)).numbers, numbersTo(6))
  const next = await readBy(options, follower.end)
  assert.deepEqual(next.numbers, [2, 3, 4, 5], 'what was merged meanwhile is not read again')
  await write(bench, parquet, options, [2, 3, 3, 4, 5])
  assert.deepEqual((await readBy(options)).numbers, numbersTo(12))
  assert.deepEqual(readdirSync(join(path, '_sluice')).sort(), ['4', '5', 'merged-3', 'merged-5', 'query'])
  await write(bench, parquet, options, [5, 6, 7])
  // Two merged ones, and those that the last merge replaced, which the next one removes.
  assert.deepEqual(readdirSync(join(path, '_sluice')).sort(), ['6', '7', 'merged-5', 'merged-7', 'query'])
  assert.equal(dataFiles(path).length, 2 + 2 + 4)
  await assert.rejects(readBy(options, follower.end), { code: 'DATA_LOST', message: /keepReplaced/ })
  bench.close()
})

test('wherever a process dies while files are merged, each row is there once after the next start', async () => {
  const bench = await Bench.open()
  await forSeeds(3, async (random) => {
    const path = join(temporaryDirectory(), 'out')
    const options = { ...MERGING, path }
    const at = 100 + random.below(250)
    const dying = fileFormat('parquet', dyingDisk(at))
    const died = await write(bench, dying, options, numbersTo(6)).then(
      () => false,
      () => true,
    )
    assert.deepEqual(new Set((await readBy(options)).numbers).size, (await readBy(options)).numbers.length)
    await write(bench, fileFormat('parquet'), options, numbersTo(8))
    assert.deepEqual((await readBy(options)).numbers, numbersTo(16), `died at call ${at}: ${died}`)
    const { merged, later } = await counted(bench, path)
    assert.deepEqual(merged + later, 16, `died at call ${at}`)
    const { files, replaced } = JSON.parse(readFileSync(join(path, '_sluice', 'merged-7'), 'utf8'))
    const known = new Set([...files, ...replaced].map((each: { path: string }) => each.path))
    const strays = dataFiles(path).filter((name) => name.includes('merged-') && !known.has(name))
    assert.deepEqual(strays, [], `died at call ${at}`)
  })
  bench.close()
})

/** Rows in the files that the ledger names, as DuckDB counts them. */
async function counted(bench: Bench, path: string): Promise<{ merged: number; later: number }> {
  const ledger = join(path, '_sluice')
  const count = async (entry: string) => {
    const from = `(SELECT unnest(files) AS f FROM read_json('${join(ledger, entry)}'))`
    await bench.connection.run(`SET VARIABLE files = (SELECT list('${path}/' || f.path) FROM ${from})`)
    const counting = "SELECT count(*) FROM read_parquet(getvariable('files'))"
    return Number(await bench.connection.value(counting))
  }
  const merges = readdirSync(ledger).flatMap((name) => /^merged-(\d+)$/.exec(name)?.[1] ?? [])
  const through = Math.max(...merges.map(Number))
  const batches = readdirSync(ledger).filter((name) => /^\d+$/.test(name) && Number(name) > through)
  let later = 0
  for (const batch of batches) later += await count(batch)
  return { merged: await count(`merged-${through}`), later }
}

test('a column that came later stays when files are merged', async () => {
  const path = join(temporaryDirectory(), 'out')
  const options = { path, targetFileSize: '1MiB', mergeInterval: 2, compressionLevel: 19, rowGroupRows: 2048 }
  const bench = await Bench.open()
  for (const [batchId, select] of ['SELECT 1 AS i', "SELECT 2 AS i, 'x' AS s"].entries()) {
    const sink = await bench.open(fileFormat('parquet'), select, 'append', options)
    await bench.write(sink, batchId, select)
    await sink.close()
  }
  const [merged = ''] = dataFiles(path).filter((name) => name.startsWith('merged-'))
  assert.deepEqual(await bench.connection.rows(`FROM read_parquet('${join(path, merged)}')`), [
    { i: 1, s: null },
    { i: 2, s: 'x' },
  ])
  bench.close()
})

test('files in a bucket are merged likewise', async () => {
  const { next } = await s3Output()
  const place = next()
  const options = { ...place.options, ...MERGING }
  const bench = await Bench.open()
  await write(bench, fileFormat('parquet'), options, numbersTo(4))
  await write(bench, fileFormat('parquet'), options, [3, 4])
  assert.deepEqual((await readBy(options)).numbers, numbersTo(10))
  assert.deepEqual(place.entries(), ['2', '3', '4', 'merged-1', 'merged-3', 'query'])
  assert.equal(place.files().filter((name) => name.includes('/merged-')).length, 4)
  bench.close()
})

test('levels and sizes that make no sense are refused', async () => {
  const bench = await Bench.open()
  const path = temporaryDirectory()
  for (const options of [
    { path, compression: 'snappy', compressionLevel: 3 },
    { path, compressionLevel: 23 },
    { path, targetFileSize: 0 },
  ]) {
    const opening = bench.open(fileFormat('parquet'), 'SELECT 1 AS i', 'append', options)
    await assert.rejects(opening, { code: 'OPTION_INVALID' })
  }
  bench.close()
})
