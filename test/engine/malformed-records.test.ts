import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { DataFrame } from '../../src/api/dataframe.ts'
import type { StreamingQuery } from '../../src/api/query.ts'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

const COLUMNS = { data: 'BLOB', shardId: 'VARCHAR', sequenceNumber: 'VARCHAR' }
const SECRET = 'no JSON at all'

describe('malformed records', () => {
  let directory: string
  let session: Session
  let stream: MemoryStream
  let fed: number

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-malformed-'))
  })

  after(() => rm(directory, { recursive: true, force: true }))

  beforeEach(async () => {
    session = await Session.create({ log: silentLogger })
    stream = new MemoryStream(COLUMNS, { name: 'events' })
    fed = 0
  })

  afterEach(() => session.close())

  const feed = (...records: readonly (string | Uint8Array)[]) => {
    for (const record of records)
      stream.add({ data: Buffer.from(record as string), shardId: 'shard-0', sequenceNumber: String(fed++) })
  }

  const reader = (options: Readonly<Record<string, string>> = {}) =>
    session.readStream.format(stream).options(options).schema({ n: 'BIGINT', s: 'VARCHAR' })

  /** Runs the stream to its end; what every batch brought. */
  async function collect(frame: DataFrame, options: Readonly<Record<string, string>> = {}, crashes = false) {
    const rows: Row[] = []
    const query = await frame.writeStream
      .trigger({ availableNow: true })
      .options(options)
      .foreachBatch(async (batch) => {
        rows.push(...(await batch.toObjects()))
        if (crashes) assert.fail('crash on purpose')
      })
      .start()
    await query.awaitTermination().catch((error) => {
      if (!crashes) throw error
    })
    return { rows, query }
  }

  const malformedIn = (query: StreamingQuery) =>
    query.recentProgress.map((progress) =>
      progress.sources.map((source) => source.metrics['malformedRecords']),
    )

  test('are rows with what fits, and counted, in mode PERMISSIVE', async () => {
    feed('{"n":1,"s":"x"}', '{"n":"1","s":"y"}', SECRET, '{"s":"z"}')
    const { rows, query } = await collect(reader().load().select('n', 's'))
    assert.deepEqual(rows, [
      { n: 1n, s: 'x' },
      { n: null, s: 'y' },
      { n: null, s: null },
      { n: null, s: 'z' },
    ])
    assert.deepEqual(malformedIn(query), [[2]])
  })

  test('are left out and counted in mode DROPMALFORMED', async () => {
    feed('{"n":1}', SECRET)
    const { rows, query } = await collect(reader({ mode: 'DROPMALFORMED' }).load().select('n'))
    assert.deepEqual(rows, [{ n: 1n }])
    assert.deepEqual(malformedIn(query), [[1]])
  })

  test('end the query in mode FAILFAST, say where they stand and not what they hold', async () => {
    const checkpointLocation = join(directory, 'failfast')
    feed('{"n":1}', '{"n":2}', SECRET, '{"n":true}')
    await assert.rejects(
      collect(reader({ mode: 'FAILFAST' }).load(), { checkpointLocation }),
      (error: Error) => {
        assert.ok(hasCode(error, 'PAYLOAD_MALFORMED'))
        assert.match(
          error.message,
          /2 records of memory\[events\] in batch 0 .* shardId shard-0, sequenceNumber 2: it is not one JSON object/,
        )
        assert.ok(!error.message.includes(SECRET))
        return true
      },
    )
    // The batch was not committed: with another mode it comes again, whole.
    const { rows } = await collect(reader().load().select('n'), { checkpointLocation })
    assert.deepEqual(rows, [{ n: 1n }, { n: 2n }, { n: null }, { n: null }])
  })

  test('say their row where the source has no positions', async () => {
    stream = new MemoryStream({ data: 'BLOB' })
    stream.add({ data: Buffer.from('{}') }, { data: Buffer.from('') })
    await assert.rejects(collect(reader({ mode: 'FAILFAST' }).load()), /the first is row 2 of the batch/)
  })

  test('go to badRecordsPath with their bytes, their positions and the reason, once, whatever crashes', async () => {
    const badRecordsPath = join(directory, 'bad')
    const checkpointLocation = join(directory, 'bad-checkpoint')
    const frame = () => reader({ badRecordsPath }).load().select('n')
    feed('{"n":1}', Buffer.from([0xff, 0x00]), '{"n":1.5}')
    const first = await collect(frame(), { checkpointLocation }, true)
    assert.ok(first.query.exception)
    await session.close()
    session = await Session.create({ log: silentLogger })
    await collect(frame(), { checkpointLocation })
    feed('{"n":2}')
    await collect(frame(), { checkpointLocation })
    feed(SECRET)
    await collect(frame(), { checkpointLocation })
    const files = join(badRecordsPath, '**', '*.parquet')
    assert.deepEqual(
      await session
        .sql(
          `SELECT data, "shardId", "sequenceNumber", reason FROM read_parquet('${files}', hive_partitioning = true) ORDER BY ALL`,
        )
        .collect(),
      [
        {
          data: Buffer.from(SECRET),
          shardId: 'shard-0',
          sequenceNumber: '4',
          reason: 'it is not one JSON object',
        },
        {
          data: Buffer.from('{"n":1.5}'),
          shardId: 'shard-0',
          sequenceNumber: '2',
          reason: 'n does not fit BIGINT',
        },
        {
          data: Buffer.from([0xff, 0x00]),
          shardId: 'shard-0',
          sequenceNumber: '1',
          reason: 'it is no UTF-8 text',
        },
      ],
    )
  })

  test('of several queries and sources share a path', async () => {
    const badRecordsPath = join(directory, 'shared')
    feed(SECRET, '{"n":1}')
    const one = reader({ badRecordsPath }).load()
    const two = reader({ badRecordsPath }).load().union(reader({ badRecordsPath }).load())
    await collect(one)
    await collect(two)
    const [row] = await session
      .sql(
        `SELECT count(*) AS n, count(DISTINCT query) AS q FROM read_parquet('${badRecordsPath}/**/*.parquet', hive_partitioning = true)`,
      )
      .collect()
    assert.deepEqual(row, { n: 3n, q: 2n })
  })

  test('leave nothing behind where there are none', async () => {
    const badRecordsPath = join(directory, 'none')
    feed('{"n":1}')
    const { query } = await collect(reader({ badRecordsPath }).load())
    assert.deepEqual(malformedIn(query), [[0]])
    assert.ok(!existsSync(badRecordsPath))
  })

  test('are a stream of their own', async () => {
    feed('{"n":1}', '{"n":[]}', '')
    const bad = reader({ mode: 'FAILFAST' }).badRecords()
    assert.deepEqual(await bad.schema(), [
      { name: 'data', type: 'BLOB' },
      { name: 'shardId', type: 'VARCHAR' },
      { name: 'sequenceNumber', type: 'VARCHAR' },
      { name: 'reason', type: 'VARCHAR' },
    ])
    const { rows } = await collect(bad.select('sequenceNumber', 'reason'))
    assert.deepEqual(rows, [
      { sequenceNumber: '1', reason: 'n does not fit BIGINT' },
      { sequenceNumber: '2', reason: 'it is not one JSON object' },
    ])
    assert.throws(
      () => session.readStream.format(stream).badRecords(),
      (error) => hasCode(error, 'PAYLOAD_SCHEMA'),
    )
  })

  test('do not disturb state and event time of those that fit', async () => {
    feed('{"n":1,"s":"a"}', SECRET, '{"n":2,"s":"a"}', '{"n":9223372036854775808,"s":"a"}')
    reader().load().createOrReplaceTempView('events')
    const counts = session.sql('SELECT s, count(n) AS n, sum(n) AS total FROM events GROUP BY s')
    const query = await counts.writeStream
      .outputMode('complete')
      .format('memory')
      .queryName('counts')
      .trigger({ once: true })
      .start()
    await query.awaitTermination()
    assert.deepEqual(await session.sql('SELECT * FROM counts ORDER BY s').collect(), [
      { s: 'a', n: 2n, total: 3n },
      { s: null, n: 0n, total: null },
    ])
  })

  test('are what OPTIONS of CREATE STREAM say', async () => {
    const create = (options: string) =>
      session.prepare(`
        CREATE STREAM s (n BIGINT, l ARRAY<STRUCT<x: INT, y: STRING>>) USING kinesis
        OPTIONS (streamName 's', region 'eu-west-1', ${options});
        CREATE SINK out USING noop AS SELECT * FROM s;`)
    const [writer] = await create("payloadFormat json, mode 'DROPMALFORMED'")
    assert.match(
      await writer!.explain(),
      /as json \(n BIGINT, l STRUCT\("x" INTEGER, "y" VARCHAR\)\[\]\), DROPMALFORMED/,
    )
    await assert.rejects(create("mode 'SOMETIMES'"), (error) => hasCode(error, 'OPTION_INVALID'))
    await assert.rejects(create("payloadFormat 'csv'"), (error) => hasCode(error, 'PAYLOAD_SCHEMA'))
  })
})
