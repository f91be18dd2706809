import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { DataStreamWriter } from '../../src/api/writer.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { S3Double } from '../../src/testing/s3/double.ts'
import type { S3Fault } from '../../src/testing/s3/fault.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'

const LOCATION = 's3://bucket/clicks'

/** Waits between attempts and between looks are a fiftieth of what they would be. */
const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1 + ms / 50), signal),
}

/** A store, and a query that counts on it, in batches of two rows. */
async function onS3(
  use: (scene: {
    double: S3Double
    stream: MemoryStream
    query: (seen?: unknown[]) => DataStreamWriter
  }) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const double = new S3Double({ clock })
  double.createBucket('bucket')
  const { endpointUrl } = await double.listen()
  const session = await Session.create({ log: silentLogger, clock: hastyClock })
  const stream = new MemoryStream({ n: 'BIGINT' }, { batchRows: () => 2 })
  try {
    await use({
      double,
      stream,
      query: (seen = []) =>
        session.readStream
          .format(stream)
          .load()
          .groupBy('n')
          .count()
          .writeStream.outputMode('complete')
          .options({
            checkpointLocation: LOCATION,
            'checkpoint.s3.endpointUrl': endpointUrl,
            'checkpoint.s3.region': 'eu-west-1',
            'checkpoint.s3.awsAccessKeyId': 'anybody',
            'checkpoint.s3.awsSecretKey': 'anything',
            'checkpoint.s3.maxRetryTime': '60s',
            maxDeltasPerSnapshot: 2,
            minBatchesToRetain: 2,
          })
          .foreachBatch(async (batch) => {
            const rows = await batch.toObjects()
            seen.splice(0, seen.length, ...rows.map((row) => [Number(row['n']), Number(row['count'])]).sort())
          }),
    })
  } finally {
    await session.close()
    await double.close()
  }
}

describe('a query with its checkpoint on S3', () => {
  const error = (code: 'SlowDown' | 'ServiceUnavailable' | 'InternalError' | 'ConditionalRequestConflict') =>
    ({ kind: 'error', code }) as const
  const faults: Readonly<Record<string, S3Fault>> = {
    'a burst of 503': { every: 17, action: error('ServiceUnavailable') },
    'slow down': { chance: 0.05, action: error('SlowDown') },
    '500 before the write was applied': { chance: 0.04, action: error('InternalError') },
    '500 after it was applied': { chance: 0.04, action: { ...error('InternalError'), applied: true } },
    'reset before': { chance: 0.04, action: { kind: 'reset', applied: false } },
    'reset after': { chance: 0.04, action: { kind: 'reset', applied: true } },
    '409': { operation: 'PutObject', chance: 0.1, action: error('ConditionalRequestConflict') },
    'a slow body': { operation: 'GetObject', chance: 0.2, action: { kind: 'slow', everyMs: 3, pieces: 3 } },
    'a truncated body': { chance: 0.04, action: { kind: 'truncate' } },
    'a turned bit': { operation: 'GetObject', chance: 0.1, action: { kind: 'corrupt' } },
    'a page of a proxy': { chance: 0.03, action: { kind: 'html' } },
  }

  test('comes out exact through every kind of fault, over restarts', async (t) => {
    const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`
    t.diagnostic(`SLUICE_SEED=${seed}`)
    const random = seededRandom(seed)
    await onS3(
      async ({ double, stream, query }) => {
        const set = Object.entries(faults).map(([name, fault]) => [name, double.fault(fault)] as const)
        const seen: unknown[] = []
        for (let start = 1; start <= 2; start++) {
          stream.add(...Array.from({ length: 6 }, (_, n) => ({ n: BigInt(n % 3) })))
          const running = await query(seen).trigger({ availableNow: true }).start()
          await running.awaitTermination()
          const counts = [2, 2, 2].map((count, n) => [n, count * start])
          assert.deepEqual(seen, counts, `SLUICE_SEED=${seed}, start ${start}`)
        }
        const silent = set.filter(([, fault]) => fault.fired === 0).map(([name]) => name)
        t.diagnostic(`${double.calls.length} requests; did not strike: ${silent.join(', ') || 'none'}`)
        assert.ok(silent.length <= 5, silent.join(', '))
      },
      { ...systemClock, random: () => random.next() },
    )
  })

  test('ends with a code when its credentials expire for good, and goes on exactly with others', async () => {
    await onS3(async ({ double, stream, query }) => {
      const seen: unknown[] = []
      stream.add({ n: 1n }, { n: 1n }, { n: 1n })
      const expired = double.fault({
        operation: 'PutObject',
        under: 'clicks/commits/1',
        action: { kind: 'error', code: 'ExpiredToken' },
      })
      const first = await query(seen).trigger({ availableNow: true }).start()
      await assert.rejects(first.awaitTermination(), /^SluiceError: AWS_CREDENTIALS_REJECTED: .*ExpiredToken/)
      assert.ok(expired.fired > 0)
      double.clearFaults()
      stream.add({ n: 2n })
      await (await query(seen).trigger({ availableNow: true }).start()).awaitTermination()
      assert.deepEqual(seen, [
        [1, 3],
        [2, 1],
      ])
    })
  })

  test('stops by an object that is put into its bucket, and not before that is gone', async () => {
    await onS3(async ({ double, stream, query }) => {
      const seen: unknown[] = []
      const marked = () => query(seen).option('stopMarker', 's3://bucket/stop/clicks')
      stream.add({ n: 1n })
      const running = await marked().start()
      await running.processAllAvailable()
      double.put('bucket', 'stop/clicks', '')
      await running.awaitTermination()
      assert.equal(running.exception, undefined)
      assert.deepEqual(seen, [[1, 1]])
      assert.ok(double.keys('bucket', 'clicks/').includes('clicks/epochs/1.released'), 'a clean stop')

      stream.add({ n: 1n })
      await (await marked().start()).awaitTermination()
      assert.deepEqual(seen, [[1, 1]], 'the marker is still there')
      double.remove('bucket', 'stop/clicks')
      await (await marked().trigger({ availableNow: true }).start()).awaitTermination()
      assert.deepEqual(seen, [[1, 2]])
    })
  })
})
