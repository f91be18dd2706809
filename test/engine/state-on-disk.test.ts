import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { StoredCheckpoint } from '../../src/api/stored-checkpoint.ts'
import type { StateFile } from '../../src/checkpoint/state-file.ts'
import type { Row } from '../../src/duckdb.ts'
import { nextStateKind } from '../../src/engine/next-state-kind.ts'
import { SluiceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { KinesisDouble } from '../../src/testing/index.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { multiset } from '../support/oracle.ts'

const file = (kind: StateFile['kind'], bytes: number): StateFile => ({
  path: '',
  operator: 'aggregate_0',
  batchId: 0,
  epoch: 1,
  kind,
  bytes,
  crc32: '',
})

describe('the next state file', () => {
  test('is a snapshot first, then deltas until they outweigh it', () => {
    assert.equal(nextStateKind([], 100), 'snapshot')
    assert.equal(nextStateKind([file('snapshot', 1000)], 100), 'delta')
    const chain = [file('snapshot', 1000), file('delta', 400), file('delta', 600)]
    assert.equal(nextStateKind(chain, 100), 'delta')
    assert.equal(nextStateKind([...chain, file('delta', 1)], 100), 'snapshot')
  })

  test('is a snapshot once there are as many deltas as allowed, however big the state', () => {
    const deltas = Array.from({ length: 99 }, () => file('delta', 1))
    const chain = [file('snapshot', 1e12), ...deltas]
    assert.equal(nextStateKind(chain, 100), 'delta')
    assert.equal(nextStateKind([...chain, file('delta', 1)], 100), 'snapshot')
  })

  test('writes in proportion to what changed, and is read back as about twice the state at most', () => {
    // A state that grows to 2,000 times what a batch changes.
    let [chain, written, changed]: [StateFile[], number, number] = [[], 0, 0]
    for (let state = 1; state <= 2000; state++) {
      const kind = nextStateKind(chain, 100_000)
      const bytes = kind === 'snapshot' ? state : 1
      chain = kind === 'snapshot' ? [file(kind, bytes)] : [...chain, file(kind, bytes)]
      written += bytes
      changed += 1
      assert.ok(chain.reduce((sum, each) => sum + each.bytes, 0) <= 2 * state + 1)
    }
    assert.ok(written < 4 * changed, String(written))
  })
})

describe('the state of a query on disk', () => {
  let session: Session
  let checkpoint: string
  let stream: MemoryStream
  let rows: number

  before(async () => {
    session = await Session.create({ log: silentLogger })
  })
  after(() => session.close())

  beforeEach(async () => {
    checkpoint = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    rows = 1000
    stream = new MemoryStream({ n: 'BIGINT' }, { batchRows: () => rows })
  })

  afterEach(() => rm(checkpoint, { recursive: true, force: true }))

  /** Runs the query over what is there and answers its last rows. */
  async function run(options: Record<string, number>, seen: string[] = []): Promise<Map<bigint, bigint>> {
    let last: readonly Row[] = []
    const query = await session.readStream
      .format(stream)
      .load()
      .groupBy('n')
      .count()
      .writeStream.outputMode('complete')
      .options({ checkpointLocation: checkpoint, ...options })
      .trigger({ availableNow: true })
      .foreachBatch(async (batch, batchId) => {
        last = await batch.toObjects()
        seen.push(`${batchId}: ${multiset(last).join(' ')}`)
      })
      .start()
    await query.awaitTermination()
    return new Map(last.map((row) => [row['n'] as bigint, row['count'] as bigint]))
  }

  const names = async (folder: string) => (await readdir(join(checkpoint, folder))).sort()
  const commit = async (n: number) => {
    const text = await readFile(join(checkpoint, 'commits', String(n)), 'utf8')
    return JSON.parse(text.split('\n')[1] as string) as { state: { path: string; bytes: number }[] }
  }

  test('a commit names one snapshot and a bounded number of deltas, whatever the batches', async () => {
    // One big batch, then many small ones.
    stream.add(...Array.from({ length: 300 }, (_, n) => ({ n: BigInt(n) })))
    await run({ maxDeltasPerSnapshot: 2 })
    const lengths: number[] = []
    for (let batch = 1; batch <= 5; batch++) {
      stream.add({ n: 7n })
      const last = await run({ maxDeltasPerSnapshot: 2 })
      assert.equal(last.get(7n), BigInt(1 + batch), 'the state of all restarts')
      assert.equal(last.size, 300)
      const { state } = await commit(batch)
      assert.deepEqual(
        state.map(({ path }) => path.includes('.snapshot.')),
        state.map((_, index) => index === 0),
      )
      for (const { path, bytes } of state) assert.equal((await stat(join(checkpoint, path))).size, bytes)
      lengths.push(state.length)
    }
    assert.deepEqual(lengths, [2, 3, 1, 2, 3])
  })

  test('what a restart and the retained batches need outlives every purge, and nothing else does', async () => {
    stream.add(...Array.from({ length: 300 }, (_, n) => ({ n: BigInt(n) })))
    const options = { minBatchesToRetain: 3, maxDeltasPerSnapshot: 6 }
    await run(options)
    rows = 1
    stream.add(...Array.from({ length: 20 }, () => ({ n: 7n })))
    assert.equal((await run(options)).get(7n), 21n)
    // Batch 20 is one after which old ones go.
    const kept = ['18', '19', '20']
    assert.deepEqual([await names('commits'), await names('offsets')], [kept, kept])
    const named = await Promise.all(kept.map(async (n) => (await commit(Number(n))).state))
    const needed = [...new Set(named.flat().map(({ path }) => path.replace('state/aggregate_0/', '')))]
    assert.deepEqual(await names('state/aggregate_0'), needed.sort())
    stream.add({ n: 7n })
    assert.equal((await run(options)).get(7n), 22n)
  })

  test('a rewound query runs the same batches again, and goes on', async () => {
    rows = 2
    const seen: string[] = []
    stream.add(...Array.from({ length: 12 }, (_, n) => ({ n: BigInt(n % 3) })))
    await run({}, seen)
    const stored = await StoredCheckpoint.open(checkpoint, { log: silentLogger })
    assert.deepEqual(await stored.rewind(2), { last: 2, takenBack: [3, 4, 5] })
    await stored.close()
    const first = seen.splice(0)
    rows = 5
    stream.add({ n: 9n })
    const last = await run({}, seen)
    assert.deepEqual(seen.slice(0, 3), first.slice(3), 'rows, numbers and results as before')
    assert.equal(seen.length, 4)
    assert.deepEqual([...last].sort(), [
      [0n, 4n],
      [1n, 4n],
      [2n, 4n],
      [9n, 1n],
    ])
  })

  test('a rewound query runs the same batches again over splits and merges of shards', async () => {
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen()
    double.createStream('clicks', { shards: 2 })
    const seen = new Map<number, string>()
    let count = 0
    const put = (records: number) =>
      double.put(
        'clicks',
        Array.from({ length: records }, () => ({ partitionKey: `key ${count}`, data: String(count++) })),
      )
    const runOver = async (maxFetchRecordsPerShard: number) => {
      const query = await session.readStream
        .format('kinesis')
        .options({ streamName: 'clicks', region: 'us-east-1', endpointUrl, maxFetchRecordsPerShard })
        .options({ awsAccessKeyId: 'a', awsSecretKey: 'b', startingPosition: 'trim_horizon' })
        .load()
        .writeStream.option('checkpointLocation', checkpoint)
        .trigger({ availableNow: true })
        .foreachBatch(async (batch, batchId) => {
          const rows = JSON.stringify((await batch.toObjects()).map((row) => String(row['data'])).sort())
          assert.equal(rows, seen.get(batchId) ?? rows, `batch ${batchId} came again with other rows`)
          seen.set(batchId, rows)
        })
        .start()
      await query.awaitTermination()
    }
    try {
      put(12)
      await runOver(5)
      const [left, right] = double.split('clicks', 'shardId-000000000000')
      put(12)
      await runOver(5)
      double.merge('clicks', left, right)
      put(6)
      await runOver(5)
      const stored = await StoredCheckpoint.open(checkpoint, { log: silentLogger })
      const back = (await stored.rewind(0))?.takenBack ?? []
      await stored.close()
      assert.ok(back.length >= 3, back.join())
      // A sink that lost some of them gets them back, under their numbers.
      for (const batchId of back) if (batchId % 2 === 0) seen.delete(batchId)
      put(5)
      await runOver(50)
      const rows = [...seen.values()].flatMap((text) => JSON.parse(text) as string[])
      assert.equal(rows.length, count)
      assert.equal(new Set(rows).size, count)
    } finally {
      await double.close()
    }
  })
})

describe('a damaged checkpoint of a query', () => {
  const DAMAGES = process.env['SLUICE_FUZZ'] === 'all' ? 1000 : 6
  let directory: string
  let session: Session
  let stream: MemoryStream

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    session = await Session.create({ log: silentLogger })
    stream = new MemoryStream({ k: 'VARCHAR', at: 'TIMESTAMP' }, { name: 'clicks', batchRows: () => 3 })
    const row = (n: number) => ({ k: `k${n % 5}`, at: new Date(Date.UTC(2026, 0, 1, 0, 3 * n)) })
    stream.add(...Array.from({ length: 24 }, (_, n) => row(n)))
    session.readStream
      .format(stream)
      .load()
      .withWatermark('at', '5 minutes')
      .createOrReplaceTempView('clicks')
  })

  after(async () => {
    await session.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** Runs until all is read, or the sink fails at batch `fatal`. Answers what each batch brought. */
  async function answer(checkpoint: string, fatal = -1): Promise<Map<number, string[]>> {
    const written = new Map<number, string[]>()
    const query = await session
      .sql(
        "SELECT k, window(at, '10 minutes').start AS start, count(*) AS n FROM clicks GROUP BY k, window(at, '10 minutes')",
      )
      .writeStream.outputMode('append')
      .option('checkpointLocation', checkpoint)
      .trigger({ availableNow: true })
      .foreachBatch(async (batch, batchId) => {
        if (batchId === fatal) throw new Error('killed on purpose')
        written.set(batchId, multiset(await batch.toObjects()))
      })
      .start()
    await query.awaitTermination()
    return written
  }

  test('gives the same answer or an error with a code, whatever is cut off or turned over in it', {
    timeout: 3_600_000,
  }, async (t) => {
    const golden = join(directory, 'golden')
    await assert.rejects(answer(golden, 4), /killed on purpose/)
    const files = (await readdir(golden, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(golden.length + 1))
      .filter((file) => !file.startsWith('.'))
    const damaged = join(directory, 'damaged')
    await cp(golden, damaged, { recursive: true })
    const right = await answer(damaged)
    assert.deepEqual([...right.keys()].slice(0, 4), [4, 5, 6, 7])
    assert.ok([...right.values()].flat().length > 5)
    const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`
    t.diagnostic(`SLUICE_SEED=${seed}`)
    const random = seededRandom(seed)
    let [refused, slowestMs] = [0, 0]
    for (let i = 0; i < DAMAGES; i++) {
      await rm(damaged, { recursive: true })
      await cp(golden, damaged, { recursive: true })
      const file = files[random.below(files.length)] as string
      const bytes = await readFile(join(damaged, file))
      const at = random.below(bytes.length)
      const isCut = random.next() < 0.5
      if (!isCut) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
      await writeFile(join(damaged, file), isCut ? bytes.subarray(0, at) : bytes)
      const where = `SLUICE_SEED=${seed}: ${file} ${isCut ? 'cut at' : 'with a bit turned in'} byte ${at}`
      const before = performance.now()
      try {
        assert.deepEqual(await answer(damaged), right, where)
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        assert.match(error.code, /^CHECKPOINT_(CORRUPT|VERSION)$/, `${where}: ${error.message}`)
        refused += 1
      }
      slowestMs = Math.max(slowestMs, performance.now() - before)
    }
    t.diagnostic(`${refused} of ${DAMAGES} refused, the slowest after ${Math.round(slowestMs)} ms`)
  })
})
