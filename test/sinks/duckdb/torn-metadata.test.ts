import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../../src/clock.ts'
import { type Connection, Database, type Row } from '../../../src/duckdb.ts'
import { silentLogger } from '../../../src/log.ts'
import { DatabaseFile } from '../../../src/sinks/duckdb/database-file.ts'
import { duckdbFormat } from '../../../src/sinks/duckdb/format.ts'
import { parseDuckdbOptions } from '../../../src/sinks/duckdb/options.ts'
import { Bench } from '../../conformance/sink.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const BLOCK_BYTES = 262_144
const BLOCKS_AT = 12_288
const PAGE_BYTES = 4096
const FILES = ['x.duckdb', 'x.duckdb.wal', 'x.duckdb.sluice-journal']

const rowsOf = (batch: number) => `SELECT ${batch} AS batch, i FROM range(1000) r(i)`
const BATCHES = `SELECT batch::INTEGER AS batch, count(*)::INTEGER AS n FROM f.t GROUP BY ALL ORDER BY ALL`

async function write(folder: string, from: number, to: number, options = {}): Promise<void> {
  const bench = await Bench.open()
  try {
    const path = join(folder, 'x.duckdb')
    const sink = await bench.open(duckdbFormat, rowsOf(0), 'append', { path, table: 't', ...options })
    try {
      for (let batch = from; batch <= to; batch++) await bench.write(sink, batch, rowsOf(batch))
    } finally {
      await sink.close()
    }
  } finally {
    bench.close()
  }
}

/** What plain DuckDB finds. */
async function read(folder: string): Promise<Row[]> {
  return withDatabase(async (connection) => {
    await connection.run(`ATTACH '${join(folder, 'x.duckdb')}' AS f (READ_ONLY)`)
    return connection.rows(BATCHES)
  })
}

async function withDatabase<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const database = await Database.open()
  const connection = await database.connect()
  try {
    return await work(connection)
  } finally {
    connection.close()
    database.close()
  }
}

function copied(files: readonly string[], from: string): string {
  const folder = temporaryDirectory()
  for (const name of files)
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(folder, name))
  return folder
}

/** A file as it lies after the commit of batch 3 and before its checkpoint, and the same after it. */
async function aroundCheckpoint(): Promise<{ readonly before: string; readonly after: string }> {
  const folder = temporaryDirectory()
  await write(folder, 0, 2)
  const target = parseDuckdbOptions(
    new Map(Object.entries({ path: join(folder, 'x.duckdb'), table: 't' })),
    'append',
    [],
  )
  const { signal } = new AbortController()
  const file = new DatabaseFile(target, { clock: systemClock, log: silentLogger, stop: signal })
  let before = ''
  await withDatabase(async (connection) => {
    await file.use(connection, 3, async (catalog) => {
      await connection.run('BEGIN')
      await connection.run(`INSERT INTO "${catalog}".t ${rowsOf(3)}`)
      await connection.run(`UPDATE "${catalog}".sluice.batches SET batch = 3`)
      await connection.run('COMMIT')
      before = copied(FILES, folder)
    })
  })
  return { before, after: folder }
}

/** Blocks that a checkpoint wrote over, each with its first pages written alone: what a kill in that moment leaves. */
function* torn(before: Buffer, after: Buffer): Generator<Buffer> {
  for (let at = BLOCKS_AT; at < before.length; at += BLOCK_BYTES) {
    if (before.subarray(at, at + BLOCK_BYTES).equals(after.subarray(at, at + BLOCK_BYTES))) continue
    for (const pages of [1, 4, 9, 64]) {
      const bytes = Buffer.from(before)
      after.copy(bytes, at, at, at + pages * PAGE_BYTES)
      yield bytes
    }
  }
}

const upTo = (last: number) => Array.from({ length: last + 1 }, (_, batch) => ({ batch, n: 1000 }))

test('a file in which a checkpoint was cut off is restored, and goes on exactly', async () => {
  const { before, after } = await aroundCheckpoint()
  const whole = (folder: string) => readFileSync(join(folder, 'x.duckdb'))
  let refused = 0
  for (const bytes of torn(whole(before), whole(after))) {
    const folder = copied(FILES, before)
    writeFileSync(join(folder, 'x.duckdb'), bytes)
    // Without the journal, nobody can open some of them.
    const plain = copied(FILES, folder)
    refused += await read(plain).then(
      () => 0,
      (error: unknown) => Number(/checksum/.test(String(error))),
    )
    // The batch of the checkpoint comes again, as after a crash before its commit.
    await write(folder, 3, 4)
    assert.deepEqual(await read(folder), upTo(4))
    assert.deepEqual(readdirSync(folder).sort(), ['x.duckdb', 'x.duckdb.sluice-lock'])
  }
  assert.ok(refused > 0, 'DuckDB writes no metadata in place any more: the journal can go')
})

test('a journal for headers that are gone, or of which a part is missing, changes nothing', async () => {
  const { before, after } = await aroundCheckpoint()
  const journal = readFileSync(join(before, 'x.duckdb.sluice-journal'))
  for (const bytes of [journal, journal.subarray(0, 100_000), Buffer.alloc(0)]) {
    const folder = copied(['x.duckdb'], after)
    writeFileSync(join(folder, 'x.duckdb.sluice-journal'), bytes)
    await write(folder, 3, 4)
    assert.deepEqual(await read(folder), upTo(4))
    assert.deepEqual(readdirSync(folder), ['x.duckdb'])
  }
})

test('a checkpoint that fails, as on a full disk, leaves the journal, and the batch comes again', async () => {
  const folder = temporaryDirectory()
  const bench = await Bench.open()
  const path = join(folder, 'x.duckdb')
  const sink = await bench.open(duckdbFormat, rowsOf(0), 'append', { path, table: 't' })
  await bench.write(sink, 0, rowsOf(0))
  await bench.connection.run("SET debug_checkpoint_abort = 'before_header'")
  await assert.rejects(bench.write(sink, 1, rowsOf(1)), { code: 'SINK_FAILED' })
  assert.ok(existsSync(`${path}.sluice-journal`))
  await bench.connection.run("SET debug_checkpoint_abort = 'none'")
  await bench.write(sink, 1, rowsOf(1))
  await sink.close()
  bench.close()
  assert.deepEqual(await read(folder), upTo(1))
  assert.deepEqual(readdirSync(folder), ['x.duckdb'])
})

test('one process at a time restores a file', async () => {
  const { before, after } = await aroundCheckpoint()
  const folder = copied(FILES, before)
  const [bytes] = torn(readFileSync(join(before, 'x.duckdb')), readFileSync(join(after, 'x.duckdb')))
  writeFileSync(join(folder, 'x.duckdb'), bytes!)
  const lock = join(folder, 'x.duckdb.sluice-lock')
  await withDatabase((connection) => connection.run(`ATTACH '${lock}' AS lock`))
  const holder = hold(lock)
  await once(holder.stdout!, 'data')
  await assert.rejects(write(folder, 3, 3, { lockTimeout: 0 }), { code: 'SINK_LOCKED' })
  assert.deepEqual(readFileSync(join(folder, 'x.duckdb')), bytes)
  holder.stdin!.end()
  await once(holder, 'exit')
  await write(folder, 3, 3, { lockTimeout: 0 })
  assert.deepEqual(await read(folder), upTo(3))
})

test('while the sink has the file, nobody else gets it', async () => {
  const folder = temporaryDirectory()
  const path = join(folder, 'x.duckdb')
  const options = new Map(Object.entries({ path, table: 't' }))
  const target = parseDuckdbOptions(options, 'append', [])
  const { signal } = new AbortController()
  const file = new DatabaseFile(target, { clock: systemClock, log: silentLogger, stop: signal })
  await withDatabase((connection) =>
    file.use(connection, 0, async (catalog) => {
      await connection.run(`CREATE TABLE "${catalog}".t (i INTEGER)`)
      const other = hold(path, 'ignore')
      const held = await Promise.race([
        once(other.stdout!, 'data').then(() => true),
        once(other, 'exit').then(() => false),
      ])
      other.stdin!.end()
      assert.equal(held, false)
    }),
  )
})

function hold(path: string, stderr: 'inherit' | 'ignore' = 'inherit') {
  const program = join(import.meta.dirname, 'holding-child.ts')
  return spawn(process.execPath, ['--import', 'tsx', program, path], { stdio: ['pipe', 'pipe', stderr] })
}
