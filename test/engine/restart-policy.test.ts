import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { Attempts } from '../../src/engine/attempts.ts'
import { ERRORS, type ErrorCode, hasCode, SluiceError } from '../../src/errors.ts'
import { type Logger, silentLogger } from '../../src/log.ts'
import type { BatchRows } from '../../src/sinks/foreach-batch.ts'
import type { SinkFormat } from '../../src/sinks/sink.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const COUNTS = 'SELECT word, count(*) AS n FROM words GROUP BY word'
const never = new AbortController().signal

describe('a query with a restart policy', () => {
  let directory: string
  let clock: ManualClock
  let session: Session
  let stream: MemoryStream
  /** What was logged when a try failed. */
  let failures: { readonly attempt: number; readonly maxAttempts: number; readonly waitMs: number }[]
  /** What the sink was given, also when it failed. */
  let seen: { readonly id: number; readonly rows: Row[] }[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    clock = new ManualClock({ seed: 'restarts', passes: 'idle' })
    failures = []
    seen = []
    const log = { ...silentLogger, warn: (entry: (typeof failures)[0]) => void failures.push(entry) }
    session = await Session.create({ clock, log: log as unknown as Logger })
    stream = new MemoryStream({ word: 'VARCHAR' }, { name: 'words', batchRows: () => 2 })
    session.readStream.format(stream).load().createOrReplaceTempView('words')
  })

  afterEach(async () => {
    await session.close()
    await rm(directory, { recursive: true, force: true })
  })

  const words = (...list: string[]) => stream.add(...list.map((word) => ({ word })))

  /** Fails so many times on batch 1, after it was given the rows. */
  const failing = (times: number, error: () => unknown = () => new RangeError('nobody answers')) => {
    let left = times
    return async (batch: BatchRows, id: number) => {
      const rows = await batch.toObjects()
      seen.push({ id, rows: rows.sort((a, b) => String(a['word']).localeCompare(String(b['word']))) })
      if (id === 1 && left-- > 0) throw error()
    }
  }

  const start = (write: (batch: BatchRows, id: number) => Promise<void>, options = {}) =>
    session
      .sql(COUNTS)
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .option('checkpointLocation', join(directory, 'checkpoint'))
      .options({ maxAttempts: 4, retryDelay: '1s', maxRetryDelay: '3s', ...options })
      .foreachBatch(write)
      .start()

  test('tries a batch again with its id and its rows, over the state of the last commit', async () => {
    words('a', 'b', 'a', 'a', 'b')
    const query = await start(failing(3))
    await query.awaitTermination()
    const batch1 = { id: 1, rows: [{ word: 'a', n: 3n }] }
    assert.deepEqual(seen, [
      {
        id: 0,
        rows: [
          { word: 'a', n: 1n },
          { word: 'b', n: 1n },
        ],
      },
      ...[batch1, batch1, batch1, batch1],
      { id: 2, rows: [{ word: 'b', n: 2n }] },
    ])
    assert.deepEqual(
      query.recentProgress.map(({ batchId, failedAttempts }) => [batchId, failedAttempts]),
      [
        [0, 0],
        [1, 3],
        [2, 0],
      ],
    )
  })

  test('waits a random time below a ceiling that doubles up to its bound', async () => {
    words('a', 'b', 'c')
    await (await start(failing(4), { maxAttempts: 5 })).awaitTermination()
    assert.deepEqual(
      failures.map(({ attempt, maxAttempts }) => [attempt, maxAttempts]),
      [
        [1, 5],
        [2, 5],
        [3, 5],
        [4, 5],
      ],
    )
    for (const [i, ceilingMs] of [1000, 2000, 3000, 3000].entries()) {
      const { waitMs } = failures[i]!
      assert.ok(waitMs >= 0 && waitMs <= ceilingMs, `wait ${i + 1} of ${waitMs} ms`)
    }
    assert.equal(new Set(failures.map(({ waitMs }) => waitMs)).size, 4)
    const waitedMs = failures.reduce((sum, { waitMs }) => sum + waitMs, 0)
    assert.ok(clock.monotonic() >= waitedMs)
  })

  test('stops with the cause when the last try fails, and the next start has the same batch', async () => {
    words('a', 'b', 'a')
    const query = await start(failing(2), { maxAttempts: 2 })
    await assert.rejects(
      query.awaitTermination(),
      (error) => hasCode(error, 'SINK_FAILED') && /batch 1.*nobody answers/.test(error.message),
    )
    assert.equal(seen.length, 3)
    await (await start(failing(0), { maxAttempts: 1 })).awaitTermination()
    assert.deepEqual(seen.at(-1), { id: 1, rows: [{ word: 'a', n: 2n }] })
  })

  test('without the option a batch is tried once', async () => {
    words('a', 'b', 'a')
    const query = await session
      .sql(COUNTS)
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .foreachBatch(failing(1))
      .start()
    await assert.rejects(query.awaitTermination(), /nobody answers/)
    assert.deepEqual(
      seen.map(({ id }) => id),
      [0, 1],
    )
    assert.deepEqual(failures, [])
  })

  test('a stop ends the waiting, and leaves the batch to the next start', async () => {
    const manual = new ManualClock()
    let log = silentLogger
    const failed = new Promise<void>((resolve) => {
      log = { ...silentLogger, warn: () => resolve() } as unknown as Logger
    })
    const waiting = await Session.create({ clock: manual, log })
    try {
      waiting.readStream.format(stream).load().createOrReplaceTempView('words')
      words('a', 'b', 'a')
      const options = { maxAttempts: 9, checkpointLocation: join(directory, 'checkpoint') }
      const writer = waiting.sql(COUNTS).writeStream.outputMode('update').options(options)
      const query = await writer.foreachBatch(failing(1)).start()
      await failed
      await query.stop()
      assert.equal(query.exception, undefined)
      assert.deepEqual(await readdir(join(directory, 'checkpoint', 'commits')), ['0'])
    } finally {
      await waiting.close()
    }
    await (await start(failing(0))).awaitTermination()
    assert.deepEqual(seen.at(-1), { id: 1, rows: [{ word: 'a', n: 2n }] })
  })

  test('a source that gives up is asked again, and no row is lost or repeated', async () => {
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen()
    const real = await Session.create({ log: silentLogger })
    try {
      double.createStream('clicks', { shards: 2 })
      double.seed(
        'clicks',
        Array.from({ length: 200 }, (_, i) => ({ partitionKey: String(i), data: String(i) })),
      )
      const refusal = { kind: 'error', code: 'ProvisionedThroughputExceededException' } as const
      const throttle = double.fault({ operation: 'GetRecords', every: 2, times: 8, action: refusal })
      const found: string[] = []
      const source = { endpointUrl, streamName: 'clicks', region: 'us-east-1', fetchInterval: '1ms' }
      const impatient = { maxRetryTime: '1ms', retryInterval: '1ms', maxFetchRecordsPerShard: 30 }
      const keys = { awsAccessKeyId: 'test', awsSecretKey: 'test', startingPosition: 'trim_horizon' }
      const query = await real.readStream
        .format('kinesis')
        .options({ ...source, ...impatient, ...keys })
        .load()
        .writeStream.options({ maxAttempts: 20, retryDelay: '1ms' })
        .trigger({ availableNow: true })
        .foreachBatch(async (batch) => {
          for (const { data } of await batch.toObjects())
            found.push(Buffer.from(data as Uint8Array).toString())
        })
        .start()
      await query.awaitTermination()
      assert.equal(throttle.fired, 8)
      assert.ok(query.recentProgress.some(({ failedAttempts }) => failedAttempts > 0))
      assert.deepEqual(
        found.map(Number).sort((a, b) => a - b),
        Array.from({ length: 200 }, (_, i) => i),
      )
    } finally {
      await real.close()
      await double.close()
    }
  })

  test('SQL takes the policy among the options of a sink', async () => {
    let left = 2
    const flaky: Omit<SinkFormat, 'name'> = {
      modes: ['append'],
      guarantee: 'at-least-once',
      options: {},
      open: async () => ({
        description: 'flaky',
        guarantee: 'at-least-once',
        write: async (id, rows) => {
          seen.push({ id, rows: await rows.toObjects() })
          if (left-- > 0) throw new Error('not yet')
        },
        close: async () => undefined,
      }),
    }
    session.registerSink('flaky', flaky)
    words('a')
    const [query] = await session.run(`
      CREATE SINK out USING flaky OPTIONS (trigger 'availableNow', maxAttempts '3', retryDelay '10ms') AS
      SELECT word FROM words;`)
    await query!.awaitTermination()
    const batch0 = { id: 0, rows: [{ word: 'a' }] }
    assert.deepEqual(seen, [batch0, batch0, batch0])
  })

  test('tries again what may pass, and never lost data, another writer, damage or a wrong setting', async () => {
    const tried: string[] = []
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const policy = { maxAttempts: 2, retryDelayMs: 1, maxRetryDelayMs: 1 }
      const attempts = new Attempts(policy, clock, silentLogger)
      const failed = new SluiceError(code, {} as never)
      await assert.rejects(
        attempts.of(() => Promise.reject(failed), never),
        (error) => error === failed,
      )
      if (attempts.takeFailed() > 0) tried.push(code)
    }
    for (const code of ['SINK_FAILED', 'SINK_LOCKED', 'AWS_THROTTLED', 'KINESIS_RETRIES_EXHAUSTED'])
      assert.ok(tried.includes(code), code)
    const final =
      /^CHECKPOINT_|^OPTION_|^SQL_|LOSS|LOST|REPLAY|REPLACED|DAMAGED|DENIED|INVALID|MISSING|_FOREIGN/
    assert.deepEqual(
      tried.filter((code) => final.test(code)),
      [],
    )
  })
})
