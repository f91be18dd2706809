import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskCalls } from '../../../src/durable-file.ts'
import { fileFormat } from '../../../src/sinks/file/format.ts'
import type { SinkFormat } from '../../../src/sinks/sink.ts'
import { Bench } from '../../conformance/sink.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { dyingDisk, faultyDisk } from './faulty-disk.ts'

const ONE = "SELECT 1 AS i, 'a' AS p UNION ALL SELECT 2, 'b'"
const TWO = "SELECT 3 AS i, 'b' AS p"

const filesBelow = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\w+$/.test(name))

const numbersIn = async (bench: Bench, path: string) => {
  const rows = await bench.connection.rows(`SELECT i FROM read_parquet('${path}/**/*.parquet') ORDER BY i`)
  return rows.map(({ i }) => i)
}

test('wherever a process dies, the batch is in the output once after the next start', async () => {
  const bench = await Bench.open()
  let at = 0
  for (let isDead = true; isDead; ) {
    at++
    const path = join(temporaryDirectory(), 'out')
    const options = { path, partitionBy: 'p' }
    const twoBatches = async (format: SinkFormat) => {
      const sink = await bench.open(format, ONE, 'append', options)
      await bench.write(sink, 0, ONE)
      await bench.write(sink, 1, TWO)
      await sink.close()
    }
    isDead = await twoBatches(fileFormat('parquet', dyingDisk(at))).then(
      () => false,
      () => true,
    )
    await twoBatches(fileFormat('parquet'))
    assert.deepEqual(await numbersIn(bench, path), [1, 2, 3], `died before call ${at}`)
    assert.deepEqual(readdirSync(join(path, '_sluice')).sort(), ['0', '1', 'query'], `died before call ${at}`)
    assert.equal(filesBelow(path).length, 3, `died before call ${at}`)
  }
  bench.close()
  assert.ok(at > 60, `only ${at} calls to die before`)
})

test('what a killed process left between its data and its manifest is gone after the next start', async () => {
  const path = join(temporaryDirectory(), 'out')
  const child = join(import.meta.dirname, 'killed-child.ts')
  const { signal, stderr } = spawnSync(process.execPath, ['--import', 'tsx', child, path], {
    encoding: 'utf8',
  })
  assert.equal(signal, 'SIGKILL', stderr)
  const bench = await Bench.open()
  assert.deepEqual(await numbersIn(bench, path), [1, 2], 'batch 1 has its data file and no manifest')
  assert.deepEqual(
    readdirSync(join(path, '_sluice')).filter((name) => /^\d+$/.test(name)),
    ['0'],
  )
  const sink = await bench.open(fileFormat('parquet'), 'SELECT 1 AS i', 'append', { path })
  assert.deepEqual(await numbersIn(bench, path), [1], 'the start alone cleans up')
  await bench.write(sink, 1, 'SELECT 2 AS i')
  await sink.close()
  assert.deepEqual(await numbersIn(bench, path), [1, 2])
  bench.close()
})

test('a start removes nothing that is not of this query', async () => {
  const path = temporaryDirectory()
  const bench = await Bench.open()
  const first = await bench.open(fileFormat('csv'), 'SELECT 1 AS i', 'append', { path })
  await bench.write(first, 0, 'SELECT 1 AS i')
  await first.close()
  const foreign = ['notes.csv', 'batch-00000007-aaaaaaaaaaaa-0b5c.0.csv', 'batch-00000007.csv']
  for (const name of foreign) writeFileSync(join(path, name), 'i\n9\n')
  await (await bench.open(fileFormat('csv'), 'SELECT 1 AS i', 'append', { path })).close()
  for (const name of foreign) assert.ok(readdirSync(path).includes(name), name)
  bench.close()
})

test('a process that a newer one replaced adds nothing more, and takes nothing away', async () => {
  const path = join(temporaryDirectory(), 'out')
  const bench = await Bench.open()
  const options = { path }
  let newer: Promise<void> | undefined
  // Stands still between its data file and its manifest, long enough for a newer process to do the whole batch.
  const calls = faultyDisk(async (call, file, _nth, carryOut) => {
    if (call === 'link' && file.endsWith('/1')) {
      newer = (async () => {
        const other = await Bench.open()
        const sink = await other.open(fileFormat('parquet'), 'SELECT 1 AS i', 'append', options)
        await other.write(sink, 1, 'SELECT 2 AS i')
        await sink.close()
        other.close()
      })()
      await newer
    }
    return carryOut()
  })
  const zombie = await bench.open(fileFormat('parquet', calls), 'SELECT 1 AS i', 'append', options)
  await bench.write(zombie, 0, 'SELECT 1 AS i')
  await assert.rejects(bench.write(zombie, 1, 'SELECT 2 AS i'), { code: 'SINK_REPLACED' })
  await assert.rejects(bench.write(zombie, 2, 'SELECT 3 AS i'), { code: 'SINK_REPLACED' })
  await zombie.close()
  assert.ok(newer)
  assert.deepEqual(await numbersIn(bench, path), [1, 2])
  bench.close()
})

test('of two processes that write the same batch at once, one has an effect', async () => {
  const path = join(temporaryDirectory(), 'out')
  const bench = await Bench.open()
  let isFirst = true
  const calls = faultyDisk(async (call, file, _nth, carryOut) => {
    if (call === 'mkdir' && file.includes('/writing-') && isFirst) {
      isFirst = false
      await rival.write(0, await bench.relation('SELECT 1 AS i'))
    }
    return carryOut()
  })
  const rival = await bench.open(fileFormat('parquet'), 'SELECT 1 AS i', 'append', { path })
  const sink = await bench.open(fileFormat('parquet', calls), 'SELECT 1 AS i', 'append', { path })
  await bench.write(sink, 0, 'SELECT 1 AS i')
  assert.deepEqual(await numbersIn(bench, path), [1])
  await rival.close()
  await sink.close()
  bench.close()
})

test('a query that cannot write its manifest leaves its batch out of the output', async () => {
  const path = join(temporaryDirectory(), 'out')
  const bench = await Bench.open()
  const calls = {
    ...diskCalls,
    link: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOSPC' })),
  }
  const sink = await bench.open(fileFormat('json', calls), 'SELECT 1 AS i', 'append', { path })
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), { code: 'SINK_FULL' })
  await sink.close()
  const next = await bench.open(fileFormat('json'), 'SELECT 1 AS i', 'append', { path })
  await bench.write(next, 0, 'SELECT 1 AS i')
  await next.close()
  assert.deepEqual(await bench.connection.rows(`FROM read_json('${path}/*.json')`), [{ i: 1n }])
  bench.close()
})
