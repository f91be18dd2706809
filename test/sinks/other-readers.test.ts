import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Session } from '../../src/api/session.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const DUCKDB = `
  import { DuckDBInstance } from '@duckdb/node-api'
  const [path, ...selects] = process.argv.slice(1)
  const instance = await DuckDBInstance.create(path, path === ':memory:' ? {} : { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const answers = []
  for (const select of selects) answers.push((await connection.runAndReadAll(select)).getRowsJson())
  console.log(JSON.stringify(answers))
`

/** What a process without any code of ours reads, with nothing but DuckDB. */
async function duckdb(path: string, ...selects: readonly string[]): Promise<unknown[]> {
  const args = ['--input-type=module', '--eval', DUCKDB, path, ...selects]
  const root = join(import.meta.dirname, '..', '..')
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return JSON.parse(stdout)
}

test('DuckDB in a process of its own reads files while the query that writes them runs', async () => {
  const directory = temporaryDirectory()
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ day: 'DATE', i: 'BIGINT', s: 'VARCHAR' })
  session.readStream.format(stream).load().createOrReplaceTempView('numbers')
  const queries = await session.run(
    (['parquet', 'json', 'csv'] as const)
      .map(
        (
          kind,
        ) => `CREATE SINK ${kind}_files USING ${kind} OPTIONS (path '${directory}/${kind}', partitionBy 'day')
          AS SELECT * FROM numbers;`,
      )
      .join('\n'),
  )
  const rows = [
    { day: new Date('2026-01-01'), i: 2n ** 60n, s: 'é\n"' },
    { day: new Date('2026-01-02'), i: -1n, s: null },
  ]
  for (const row of rows) {
    stream.add(row)
    for (const query of queries) await query.processAllAvailable()
  }
  const items = `strftime(day::DATE, '%d'), i, s`
  const found = await duckdb(
    ':memory:',
    `SELECT ${items} FROM read_parquet('${directory}/parquet/**/*.parquet') ORDER BY 1`,
    `SELECT ${items} FROM read_json('${directory}/json/**/*.json') ORDER BY 1`,
    `SELECT ${items} FROM read_csv('${directory}/csv/**/*.csv', quote = '"', escape = '"', allow_quoted_nulls = false) ORDER BY 1`,
  )
  const expected = [
    ['01', '1152921504606846976', 'é\n"'],
    ['02', '-1', null],
  ]
  assert.deepEqual(found, [expected, expected, expected])
  await session.close()
})

test('DuckDB in a process of its own opens the file of a query between its batches, and holds up none for good', async () => {
  const path = join(temporaryDirectory(), 'app.duckdb')
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const query = await session.readStream
    .format(stream)
    .load()
    .groupBy('word')
    .count()
    .writeStream.outputMode('update')
    .format('duckdb')
    .options({ path, table: 'counts', key: 'word' })
    .start()
  const select = 'FROM counts ORDER BY word'
  stream.add({ word: 'a' }, { word: 'b' })
  await query.processAllAvailable()
  assert.deepEqual(await duckdb(path, select), [
    [
      ['a', '1'],
      ['b', '1'],
    ],
  ])
  // A batch that comes while somebody reads waits until the file is free.
  const reading = duckdb(path, select)
  stream.add({ word: 'a' })
  await Promise.all([
    reading.catch((error: unknown) => assert.match(String(error), /lock/)),
    query.processAllAvailable(),
  ])
  assert.deepEqual(await duckdb(path, select), [
    [
      ['a', '2'],
      ['b', '1'],
    ],
  ])
  await session.close()
})
