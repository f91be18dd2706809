import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileFormat } from '../../../src/sinks/file/format.ts'
import type { S3Fault } from '../../../src/testing/s3/fault.ts'
import { Bench } from '../../conformance/sink.ts'
import { hastyClock } from '../../support/hasty-clock.ts'
import { forSeeds } from '../../support/seeds.ts'
import { BUCKET, type S3Place, s3Output } from './s3-output.ts'

const { double, next } = await s3Output()
const ONE = "SELECT 1 AS i, 'a' AS p UNION ALL SELECT 2, 'b'"
const TWO = "SELECT 3 AS i, 'b' AS p"
const parquet = fileFormat('parquet')

async function withBench(check: (bench: Bench, place: S3Place) => Promise<void>): Promise<void> {
  const bench = await Bench.open(hastyClock)
  try {
    await check(bench, next())
  } finally {
    bench.close()
    double.clearFaults()
  }
}

async function numbersIn(bench: Bench, directory: string): Promise<unknown[]> {
  const from = `read_parquet('${directory}/**/*.parquet')`
  return (await bench.connection.rows(`SELECT i FROM ${from} ORDER BY i`)).map(({ i }) => i)
}

/** Requests of `twoBatches` on a quiet day, at least. */
const CALLS = 25

/** Two batches by one process. */
async function twoBatches(bench: Bench, place: S3Place): Promise<void> {
  const sink = await bench.open(parquet, ONE, 'append', { ...place.options, partitionBy: 'p' })
  try {
    await bench.write(sink, 0, ONE)
    await bench.write(sink, 1, TWO)
  } finally {
    await sink.close()
  }
}

const WEATHER: Readonly<Record<string, S3Fault>> = {
  'answers that got lost': { every: 3, action: { kind: 'reset', applied: true } },
  'connections that break': { every: 2, action: { kind: 'reset', applied: false } },
  'a busy service': { every: 2, action: { kind: 'error', code: 'SlowDown' } },
  'a 503 after the work was done': {
    every: 3,
    action: { kind: 'error', code: 'ServiceUnavailable', applied: true },
  },
  'writes at the same time': { every: 2, action: { kind: 'error', code: 'ConditionalRequestConflict' } },
}

for (const [name, fault] of Object.entries(WEATHER)) {
  test(`${name} change nothing: each row is there once, in files that the manifests name`, () =>
    withBench(async (bench, place) => {
      double.fault(fault)
      await twoBatches(bench, place)
      double.clearFaults()
      assert.deepEqual(await numbersIn(bench, place.download()), [1, 2, 3])
      assert.deepEqual(place.entries(), ['0', '1', 'query'])
      assert.equal(place.files().length, 3)
    }))
}

test('wherever a process dies, the batch is in the output once after the next start', () =>
  withBench(async (bench) => {
    await forSeeds(3, async (random) => {
      const place = next()
      const at = 1 + random.below(CALLS)
      let calls = 0
      // From that call on nothing gets through any more.
      const die = () => {
        if (++calls !== at) return
        double.fault({ under: place.prefix, action: { kind: 'error', code: 'AccessDenied' } })
      }
      const action = { kind: 'meanwhile', applied: false, run: die } as const
      double.fault({ under: place.prefix, action })
      await twoBatches(bench, place).catch(() => undefined)
      assert.ok(calls >= at, `it made ${calls} calls only`)
      double.clearFaults()
      await twoBatches(bench, place)
      assert.deepEqual(await numbersIn(bench, place.download()), [1, 2, 3], `died at call ${at}`)
      assert.deepEqual(place.entries(), ['0', '1', 'query'], `died at call ${at}`)
      assert.equal(place.files().length, 3, `died at call ${at}`)
    })
  }))

test('a big file goes in parts, whatever happens on the way', () =>
  withBench(async (bench, place) => {
    const big = 'SELECT i, repeat(md5(i::VARCHAR), 200) AS s FROM range(2700) r(i)'
    const csv = fileFormat('csv')
    const sink = await bench.open(csv, big, 'append', place.options)
    double.clearCalls()
    double.fault({ operation: 'UploadPart', nth: 2, action: { kind: 'reset', applied: false } })
    double.fault({ operation: 'UploadPart', nth: 3, action: { kind: 'error', code: 'SlowDown' } })
    double.fault({ operation: 'CompleteMultipartUpload', nth: 1, action: { kind: 'reset', applied: true } })
    await bench.write(sink, 0, big)
    const parts = double.calls.filter(({ operation }) => operation === 'UploadPart')
    assert.equal(parts.filter(({ outcome }) => outcome === 'ok').length, 3)
    assert.ok(parts.filter(({ bytesIn }) => bytesIn >= 5 * 1024 ** 2).length >= 2)
    assert.deepEqual(double.uploads(BUCKET), [])
    const [rows] = await bench.connection.rows(
      `SELECT count(*) AS n, sum(i) AS total FROM read_csv('${place.download()}/*.csv')`,
    )
    assert.deepEqual(rows, { n: 2700n, total: (2699n * 2700n) / 2n })
    await sink.close()
  }))

test('parts of an upload that fails are removed, at the latest when its batch has come again', () =>
  withBench(async (bench, place) => {
    const big = "SELECT repeat('x', 9000000) AS s"
    const csv = fileFormat('csv')
    const sink = await bench.open(csv, big, 'append', place.options)
    const denied = { kind: 'error', code: 'AccessDenied' } as const
    double.fault({ operation: 'UploadPart', nth: 2, action: denied })
    await assert.rejects(bench.write(sink, 0, big), { code: 'AWS_ACCESS_DENIED', message: /s3:PutObject/ })
    assert.deepEqual([double.uploads(BUCKET), place.files()], [[], []])
    double.clearFaults()
    // As a process that is killed leaves them.
    double.fault({ operation: 'UploadPart', nth: 2, action: denied })
    double.fault({ operation: 'AbortMultipartUpload', action: denied })
    await assert.rejects(bench.write(sink, 0, big), { code: 'AWS_ACCESS_DENIED' })
    assert.deepEqual([double.uploads(BUCKET).length, place.files()], [1, []])
    double.clearFaults()
    await bench.write(sink, 0, "SELECT 'small' AS s")
    await sink.close()
    assert.deepEqual(double.uploads(BUCKET), [])
    assert.deepEqual(place.entries(), ['0', 'query'])
    assert.equal(place.files().length, 1)
  }))

test('of two processes that write the same batch at once, one has an effect', () =>
  withBench(async (bench, place) => {
    const rival = await bench.open(parquet, ONE, 'append', place.options)
    const sink = await bench.open(parquet, ONE, 'append', place.options)
    double.fault({
      operation: 'PutObject',
      key: `${place.prefix}_sluice/0`,
      nth: 1,
      action: {
        kind: 'meanwhile',
        applied: false,
        run: () => bench.relation(ONE).then((rows) => rival.write(0, rows)),
      },
    })
    await sink.write(0, await bench.relation(ONE))
    await sink.close()
    await rival.close()
    assert.deepEqual(await numbersIn(bench, place.download()), [1, 2])
    assert.equal(place.files().length, 1)
  }))

test('a place of another query, a missing bucket, an unsafe store and odd options are refused', () =>
  withBench(async (bench, place) => {
    const sink = await bench.open(parquet, ONE, 'append', place.options)
    await bench.write(sink, 0, ONE)
    await sink.close()
    const opening = bench.open(parquet, ONE, 'append', place.options, 'query 2')
    await assert.rejects(opening, { code: 'SINK_PATH_TAKEN', message: /belongs to query query 1/ })
    const elsewhere = { ...place.options, path: 's3://other/x' }
    await assert.rejects(bench.open(parquet, ONE, 'append', elsewhere), { code: 'S3_NO_BUCKET' })
    const local = { path: '/tmp/never-made', 's3.region': 'eu-west-1' }
    await assert.rejects(bench.open(parquet, ONE, 'append', local), { code: 'OPTION_UNKNOWN' })
    const odd = { ...place.options, path: 's3://key:not-to-be-shown@bucket/x' }
    await assert.rejects(bench.open(parquet, ONE, 'append', odd), (error: Error) => {
      assert.match(error.message, /credentials are given as options/)
      assert.doesNotMatch(error.message, /not-to-be-shown/)
      return true
    })
    const unsafe = (await s3Output({ conditionalWrites: 'ignored' })).next()
    const risky = await bench.open(parquet, ONE, 'append', unsafe.options)
    await assert.rejects(bench.write(risky, 0, ONE), { code: 'SINK_STORE_UNSAFE' })
    await risky.close()
  }))
