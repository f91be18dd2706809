import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../../../src/batch.ts'
import { systemClock } from '../../../src/clock.ts'
import { Database } from '../../../src/duckdb.ts'
import { silentLogger } from '../../../src/log.ts'
import { kinesisFormat } from '../../../src/sources/kinesis/format.ts'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { forSeeds } from '../../support/seeds.ts'
import { never } from './scene.ts'

const RECORDS = 6000

/**
 * Answers that are walked in their own memory, which is used for one answer after the other, and blocks so heavy that
 * DuckDB reads them where they lie: over HTTP, each batch looked at after the next was read, as a query does.
 */
test('every record of large answers comes once, in order and whole, and again when its range is read again', async () => {
  await forSeeds(3, async (random) => {
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen({ cborLengths: random.pick(['definite', 'indefinite']) })
    double.createStream('clicks', { shards: 2 })
    const isAggregated = random.below(3) === 0
    for (let n = 0; n < RECORDS; n++) {
      const data = `${n} ${'x'.repeat(random.below(random.below(3) === 0 ? 3000 : 300))}.`
      const isOne = isAggregated && random.below(400) === 0
      double.put('clicks', {
        partitionKey: `key-${n % 7}`,
        data: isOne ? aggregate([{ partitionKey: `key-${n % 7}`, data }]) : data,
      })
    }
    const given = {
      streamName: 'clicks',
      region: 'us-east-1',
      endpointUrl,
      awsAccessKeyId: 'a',
      awsSecretKey: 'b',
      startingPosition: 'trim_horizon',
      fetchInterval: '0ms',
      maxBytesPerSecond: '1000GiB',
      maxRecordPerRead: random.pick([500, 800]),
      maxFetchRecordsPerShard: random.pick([700, 100_000]),
      maxFetchBytes: random.pick(['500KiB', '1200KiB']),
    }
    const open = () =>
      kinesisFormat.open({
        options: new Map(Object.entries(given)),
        clock: systemClock,
        log: silentLogger,
      })
    const source = open()
    const database = await Database.open()
    const connection = await database.connect()
    const looked = async ({ records }: Batch): Promise<{ key: string; text: string }[]> => {
      await connection.attach('batch', source.schema, records)
      const rows = await connection.rows('SELECT "partitionKey" AS key, decode(data) AS text FROM batch')
      return rows as { key: string; text: string }[]
    }
    try {
      await source.pinEnd()
      const seen = new Map<string, number[]>()
      let next = source.read(await source.initial(), never)
      let count = 0
      for (let isOver = false; !isOver; ) {
        const { batch, drained } = await next
        isOver = drained
        if (!batch) continue
        if (!drained) next = source.read(batch.range.end, never)
        // What the next read brings must not lie where these rows are.
        if (!drained) await next
        const rows = await looked(batch)
        for (const { key, text } of rows) {
          assert.match(text, /^\d+ x*\.$/)
          seen.set(key, [...(seen.get(key) ?? []), Number.parseInt(text, 10)])
        }
        count += rows.length
        if (random.below(4) === 0) {
          const other = open()
          const again = await other.reread(batch.range)
          assert.equal(again.digest, batch.digest)
          assert.deepEqual(await looked(again), rows)
          again.release?.()
          await other.close()
        }
        batch.release?.()
      }
      assert.equal(count, RECORDS)
      for (const [key, numbers] of seen) {
        const expected = Array.from({ length: RECORDS }, (_, n) => n).filter((n) => `key-${n % 7}` === key)
        assert.deepEqual(numbers, expected, key)
      }
    } finally {
      connection.close()
      database.close()
      await source.close()
      await double.close()
    }
  })
})
