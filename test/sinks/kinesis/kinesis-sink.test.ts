import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { PutRecordsOutput } from '@aws-sdk/client-kinesis'
import { expr } from '../../../src/api/functions.ts'
import { Session } from '../../../src/api/session.ts'
import type { Row } from '../../../src/duckdb.ts'
import { silentLogger } from '../../../src/log.ts'
import type { RefusedRow } from '../../../src/sinks/sink.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { seededRandom } from '../../../src/testing/seeded-random.ts'
import { Scene } from './scene.ts'

let scene: Scene

beforeEach(async () => {
  await scene?.close()
  scene = await Scene.open()
})

after(() => scene.close())

const rows = (count: number, data = "'r' || i") =>
  `SELECT ${data} AS data, 'k' || i % 7 AS partitionKey FROM range(${count}) r(i)`

const puts = () => scene.double.calls.filter(({ operation }) => operation === 'PutRecords')

test('text and bytes arrive as they are, in the order of the rows, in full requests', async () => {
  await scene.write(rows(1201))
  assert.deepEqual(
    scene.texts,
    Array.from({ length: 1201 }, (_, i) => `r${i}`),
  )
  assert.deepEqual(
    puts().map((call) => call.records),
    [500, 500, 201],
  )
  await scene.write("SELECT '\\x00\\xFF'::BLOB AS DATA, 'é' AS PartitionKey, 1 AS other")
  const last = scene.records.at(-1)
  assert.deepEqual([...(last?.Data ?? [])], [0, 255])
  assert.equal(last?.PartitionKey, 'é')
})

test('requests stay below their limit of bytes, and a record beyond it goes alone', async () => {
  await scene.write(rows(10, "repeat('x', CASE WHEN i = 5 THEN 3000 ELSE 1000 END)"), {
    maxRequestBytes: 2500,
  })
  assert.deepEqual(
    puts().map((call) => call.records),
    [2, 2, 1, 1, 2, 2],
  )
})

test('explicitHashKey chooses the shard, as a number or as text', async () => {
  await scene.close()
  scene = await Scene.open(2)
  const [first, second] = scene.double.shards('out')
  const half = 2n ** 127n
  await scene.write(`SELECT 'a' AS data, 'k' AS partitionKey, '${half}' AS explicitHashKey`)
  await scene.write(`SELECT 'b' AS data, 'k' AS partitionKey, ${half}::UHUGEINT AS explicitHashKey`)
  await scene.write(`SELECT 'c' AS data, 'k' AS partitionKey, 0 AS explicitHashKey`)
  const texts = (id: string) =>
    scene.double.records('out', id).map(({ Data }) => Buffer.from(Data ?? []).toString())
  assert.deepEqual(texts(first?.id ?? ''), ['c'])
  assert.deepEqual(texts(second?.id ?? ''), ['a', 'b'])
})

test('only the records that were refused are sent again, until all are in', async () => {
  const code = 'ProvisionedThroughputExceededException'
  scene.double.fault({
    operation: 'PutRecords',
    times: 3,
    action: { kind: 'reject-entries', every: 3, code },
  })
  await scene.write(rows(100))
  assert.deepEqual(
    [...scene.texts].sort(),
    Array.from({ length: 100 }, (_, i) => `r${i}`).sort(),
    'each once',
  )
  assert.deepEqual(
    puts().map((call) => call.records),
    [100, 33, 11, 3],
  )
})

test('whatever goes wrong on the way, no record is missing', async () => {
  const seed = process.env['SLUICE_SEED'] ?? String(process.pid)
  const random = seededRandom(seed)
  const actions = [
    { kind: 'error', code: 'InternalFailure' },
    { kind: 'error', code: 'LimitExceededException' },
    { kind: 'reset', applied: true },
    { kind: 'reset', applied: false },
    { kind: 'html', status: 503 },
    { kind: 'reject-entries', every: 2, code: 'InternalFailure' },
  ] as const
  for (let round = 0; round < 3; round++) {
    scene.double.fault({ operation: 'PutRecords', nth: 1 + random.below(8), action: random.pick(actions) })
    scene.double.fault({ operation: 'PutRecords', nth: 1 + random.below(8), action: random.pick(actions) })
    await scene.write(rows(300, `'${round} ' || i`), { maxRecordsPerRequest: 50, maxParallelRequests: 3 })
    scene.double.clearFaults()
  }
  const expected = [0, 1, 2].flatMap((round) => Array.from({ length: 300 }, (_, i) => `${round} ${i}`))
  assert.deepEqual([...new Set(scene.texts)].sort(), expected.sort(), `SLUICE_SEED=${seed}`)
})

test('a stream that takes nothing fails the batch after a time, with the last reason', async () => {
  const code = 'ProvisionedThroughputExceededException'
  scene.double.fault({ operation: 'PutRecords', action: { kind: 'reject-entries', every: 1, code } })
  await assert.rejects(scene.write(rows(3), { 'kinesis.sink.recordTtl': 5000 }), {
    code: 'KINESIS_RETRIES_EXHAUSTED',
    message: /PutRecords on stream 'out' .* kept failing for \d+ s: ProvisionedThroughputExceededException/,
  })
  assert.equal(scene.texts.length, 0)
  assert.ok(puts().length > 3)
})

test('a stream that is throttled but moves is not given up', async () => {
  await scene.close()
  scene = await Scene.open(1, { enforceLimits: ['writes'] })
  let left = 40
  const code = 'ProvisionedThroughputExceededException'
  // All but the first record of every request are refused: forty times as long as nothing may get through.
  scene.double.fault({
    operation: 'PutRecords',
    action: {
      kind: 'edit',
      change: (answer) => {
        void scene.clock.advance(5000)
        const { Records = [] } = answer as PutRecordsOutput
        left--
        const kept = Records.map((record, index) =>
          index === 0 ? record : { ErrorCode: code, ErrorMessage: 'Rate exceeded' },
        )
        return { ...answer, Records: kept } as typeof answer
      },
    },
  })
  await scene.write(rows(40), { maxRetryTime: '10s' })
  assert.equal(left, 0)
})

test('what cannot succeed fails at once, and names stream and host', async () => {
  await assert.rejects(scene.write(rows(1), { streamName: 'other' }), {
    code: 'KINESIS_STREAM_NOT_FOUND',
    message: /'other' does not exist in region eu-west-1 at 127\.0\.0\.1:\d+/,
  })
  scene.double.fault({ operation: 'PutRecords', action: { kind: 'error', code: 'AccessDeniedException' } })
  await assert.rejects(scene.write(rows(1)), { code: 'AWS_ACCESS_DENIED', message: /kinesis:PutRecords/ })
  assert.equal(puts().length, 2)
})

test('rotated credentials are asked for again once', async () => {
  scene.double.fault({
    operation: 'PutRecords',
    nth: 1,
    action: { kind: 'error', code: 'ExpiredTokenException' },
  })
  await scene.write(rows(2))
  assert.deepEqual(scene.texts, ['r0', 'r1'])
})

test('provenance names each row in the data, the same row for the same contents in any order', async () => {
  const batch = (order: string) =>
    `SELECT '{"n":' || n || ', "big":12345678901234567890}' AS data, 'k' AS partitionKey
     FROM (VALUES (3), (1), (2)) t(n) ORDER BY n ${order}`
  await scene.write(batch('ASC'), { provenance: 'field' }, 4)
  await scene.write(batch('DESC'), { provenance: 'field' }, 4)
  assert.equal(
    scene.texts[0],
    '{"_sluice":{"queryId":"query 1","batchId":4,"row":0},"n":1, "big":12345678901234567890}',
  )
  assert.deepEqual(
    scene.texts.map((text) => JSON.parse(text).n),
    [1, 2, 3, 3, 2, 1],
    'sent in the order of the rows',
  )
  assert.equal(new Set(scene.texts).size, 3, 'a repeat is byte for byte the same')
})

test('an envelope is a line of JSON before the bytes', async () => {
  await scene.write("SELECT '\\x0A\\xFF'::BLOB AS data, 'k' AS partitionKey", { provenance: 'envelope' }, 9)
  const [record] = scene.records
  assert.deepEqual(
    Buffer.from(record?.Data ?? []),
    Buffer.concat([Buffer.from('{"queryId":"query 1","batchId":9,"row":0}\n'), Buffer.from([0x0a, 0xff])]),
  )
  await scene.write("SELECT '{}' AS data, 'k' AS partitionKey", { provenance: 'field' })
  assert.equal(scene.texts[1], '{"_sluice":{"queryId":"query 1","batchId":0,"row":0}}')
})

test('rows that are no records are refused by number', async () => {
  const bad: readonly (readonly [string, RegExp, object?])[] = [
    ["SELECT NULL::VARCHAR AS data, 'k' AS partitionKey", /data is NULL/],
    ["SELECT 'd' AS data, NULL::VARCHAR AS partitionKey", /partitionKey is NULL/],
    ["SELECT 'd' AS data, '' AS partitionKey", /partitionKey is empty/],
    ["SELECT 'd' AS data, repeat('é', 257) AS partitionKey", /257 characters/],
    ["SELECT repeat('x', 1048576) AS data, 'k' AS partitionKey", /1048577 bytes, more than maxRecordBytes/],
    ["SELECT 'd' AS data, 'k' AS partitionKey, '-1' AS explicitHashKey", /explicitHashKey/],
    [`SELECT 'd' AS data, 'k' AS partitionKey, '${2n ** 128n}' AS explicitHashKey`, /explicitHashKey/],
    ["SELECT '[]' AS data, 'k' AS partitionKey", /no JSON object/, { provenance: 'field' }],
    ["SELECT '{' AS data, 'k' AS partitionKey", /no JSON object/, { provenance: 'field' }],
    [`SELECT '{"_sluice":1}' AS data, 'k' AS partitionKey`, /_sluice already/, { provenance: 'field' }],
  ]
  for (const [sql, message, options] of bad) {
    await assert.rejects(scene.write(sql, options), { code: 'SINK_ROW', message }, sql)
  }
  const message = /row 2 of batch 0/
  const third = "FROM (VALUES ('a', 'k'), ('b', 'k'), (NULL, 'k')) t(data, partitionKey)"
  await assert.rejects(scene.write(third), { code: 'SINK_ROW', message })
})

test('rows that are no records can be left out or refused one by one', async () => {
  const sql = "FROM (VALUES ('a', 'k'), (NULL, 'k'), ('b', ''), ('c', 'k')) r(data, partitionKey)"
  await scene.write(sql, { refusedRows: 'drop' })
  assert.deepEqual(scene.texts, ['a', 'c'])
  const refused: RefusedRow[] = []
  const open = (more: object) =>
    scene.format.open({
      options: new Map(Object.entries({ ...scene.options, refusedRows: 'deadLetter' })),
      queryId: 'q',
      queryName: undefined,
      outputMode: 'append',
      schema: ['data', 'partitionKey'].map((name) => ({ name, type: 'VARCHAR' })),
      log: silentLogger,
      clock: scene.clock,
      stop: scene.bench.stopping.signal,
      ...more,
    })
  await assert.rejects(open({}), { code: 'OPTION_MISSING', message: /deadLetter\.format/ })
  const sink = await open({ refuse: (row: RefusedRow) => void refused.push(row) })
  await scene.bench.write(sink, 0, sql)
  await sink.close()
  assert.deepEqual(scene.texts, ['a', 'c', 'a', 'c'])
  assert.deepEqual(
    refused.map(({ reason, data, partitionKey }) => [reason, String(data), partitionKey]),
    [
      ['data is NULL', '', 'k'],
      ['partitionKey is empty', 'b', ''],
    ],
  )
})

test('a query without the columns of a record is refused at the start', async () => {
  const bad = [
    ["SELECT 'd' AS payload, 'k' AS partitionKey", /column 'data' .* only payload, partitionKey/],
    ["SELECT 'd' AS data", /column 'partitionKey'/],
    ["SELECT 1 AS data, 'k' AS partitionKey", /data of type INTEGER/],
    ["SELECT 'd' AS data, 1 AS partitionKey", /partitionKey of type INTEGER/],
    ["SELECT 'd' AS data, 'k' AS partitionKey, 1.5 AS explicitHashKey", /explicitHashKey of type DECIMAL/],
  ] as const
  for (const [sql, message] of bad) {
    const opening = scene.bench.open(scene.format, sql, 'append', scene.options)
    await assert.rejects(opening, { code: 'SINK_COLUMN', message })
  }
})

test('options of the Spark connectors are taken as they were written', async () => {
  const { endpointUrl, awsAccessKeyId, awsSecretKey } = scene.options
  const awslabs = {
    'kinesis.streamName': 'out',
    'kinesis.region': 'eu-west-1',
    'kinesis.endpointUrl': endpointUrl,
    'kinesis.awsAccessKeyId': awsAccessKeyId,
    'kinesis.awsSecretKey': awsSecretKey,
    'kinesis.sink.flushWaitTimeMs': 100,
    'kinesis.sink.recordMaxBufferedTimeMs': 1000,
    'kinesis.sink.maxConnections': 1,
    'kinesis.sink.aggregationEnabled': false,
    'kinesis.sink.recordTtl': 30_000,
  }
  const sink = await scene.bench.open(scene.format, rows(1), 'append', awslabs)
  await scene.bench.write(sink, 0, rows(1))
  await sink.close()
  assert.deepEqual(scene.texts, ['r0'])
  const open = (options: object) =>
    scene.bench.open(scene.format, rows(1), 'append', { ...scene.options, ...options })
  const code = 'OPTION_INVALID'
  await (await open({ 'kinesis.executor.aggregationEnabled': true })).close()
  await assert.rejects(open({ 'kinesis.sink.aggregationEnabled': 'no' }), { code })
  await assert.rejects(open({ streamName: 'not a name' }), { code })
  await assert.rejects(open({ awsUseInstanceProfile: true }), { code })
  await assert.rejects(open({ endpointUrl: 'http://169.254.169.254/' }), { code })
  await assert.rejects(open({ roleSessionName: 's' }), { code: 'OPTION_MISSING', message: /roleArn/ })
  const arn = 'arn:aws:kinesis:us-west-2:123456789012:stream/out'
  await assert.rejects(open({ streamArn: arn }), { code: 'AWS_REGION_CONFLICT' })
})

/** What the kinesis source makes of the stream, as another process would. */
async function readBack(): Promise<Row[]> {
  const session = await Session.create({ log: silentLogger })
  const rows: Row[] = []
  const query = await session.readStream
    .format('kinesis')
    .options({ ...scene.options, startingPosition: 'trim_horizon', fetchInterval: 1 })
    .load()
    .select('partitionKey', expr('data::VARCHAR AS data'))
    .writeStream.trigger({ availableNow: true })
    .foreach({ process: (row) => void rows.push(row) })
    .start()
  await query.awaitTermination()
  await session.close()
  return rows
}

test('aggregates are those of the KPL, one shard each, and our own source takes them apart', async () => {
  await scene.close()
  scene = await Scene.open(3)
  const keyed = `SELECT 'é' || i || CASE WHEN i = 50 THEN repeat('x', 3000) ELSE '' END AS data, 'k' || i % 40 AS partitionKey,
    CASE WHEN i % 5 = 0 THEN (i::UHUGEINT * 300000000000000000000000000000000000)::VARCHAR END AS explicitHashKey
    FROM range(400) r(i)`
  await scene.write(keyed, { aggregationEnabled: true, maxAggregateBytes: 2000 })
  const sent = (await scene.bench.connection.rows(keyed)) as {
    data: string
    partitionKey: string
    explicitHashKey: string | null
  }[]
  assert.ok(scene.records.length < 30, `${scene.records.length} records`)
  const data = scene.records.map((record) => Buffer.from(record.Data ?? []))
  assert.equal(data.filter(({ length }) => length > 2000).length, 1)
  const values = (rows: readonly Row[]) => rows.map((row) => `${row['partitionKey']} ${row['data']}`).sort()
  assert.deepEqual(values(await readBack()), values(sent))
  await scene.close()
  scene = await Scene.open()
  const few = keyed.replace('range(400)', 'range(40)')
  await scene.write(few, { aggregationEnabled: true })
  // The encoder of the double shares nothing with the sink.
  const members = sent
    .slice(0, 40)
    .map(({ explicitHashKey, ...row }) => ({ ...row, ...(explicitHashKey && { explicitHashKey }) }))
  assert.deepEqual(
    scene.records.map(({ Data }) => Buffer.from(Data ?? [])),
    [Buffer.from(aggregate(members))],
  )
  assert.equal(scene.records[0]?.PartitionKey, 'a')
})

test('after a reshard that comes between, no record of an aggregate is lost to readers', async () => {
  await scene.close()
  scene = await Scene.open(2)
  const sql = (batch: number) =>
    `SELECT '${batch} ' || i AS data, 'k' || i AS partitionKey FROM range(700) r(i)`
  const options = { ...scene.options, aggregationEnabled: true, maxAggregateBytes: 4000 }
  const sink = await scene.bench.open(scene.format, sql(0), 'append', options)
  await scene.bench.write(sink, 0, sql(0))
  const [first, second] = scene.double.shards('out')
  const [, right] = scene.double.split('out', first?.id ?? '')
  await scene.bench.write(sink, 1, sql(1))
  scene.double.merge('out', right, second?.id ?? '')
  await scene.bench.write(sink, 2, sql(2))
  await sink.close()
  const texts = (await readBack()).map(({ data }) => String(data))
  const expected = [0, 1, 2].flatMap((batch) => Array.from({ length: 700 }, (_, i) => `${batch} ${i}`))
  assert.deepEqual([...new Set(texts)].sort(), [...expected].sort())
})

test('with paceShards no record is refused that the shard has no room for', async () => {
  await scene.close()
  const paced = await Scene.open(2, { enforceLimits: ['writes'] })
  scene = paced
  const many = "SELECT repeat('x', 100) || i AS data, 'k' || i AS partitionKey FROM range(6000) r(i)"
  let refusals = 0
  const sink = await paced.bench.open(paced.format, many, 'append', { ...paced.options, paceShards: true })
  paced.double.fault({
    operation: 'PutRecords',
    action: {
      kind: 'edit',
      change: (answer) => {
        refusals += (answer as PutRecordsOutput).FailedRecordCount ?? 0
        return answer
      },
    },
  })
  await paced.bench.write(sink, 0, many)
  assert.equal(paced.records.length, 6000)
  assert.equal(refusals, 0)
  paced.double.split('out', paced.double.shards('out')[0]?.id ?? '')
  await paced.bench.write(sink, 1, many)
  assert.equal(paced.records.length, 12_000)
  const lists = paced.double.calls.filter(({ operation }) => operation === 'ListShards')
  assert.equal(lists.length, 2, 'the reshard was noticed by where the records went')
  await sink.close()
})
