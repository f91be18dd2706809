import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, beforeEach, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import { SINKS } from '../../src/sinks/index.ts'
import type { SinkContext } from '../../src/sinks/sink.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { sluice } from '../cli/sluice.ts'
import { temporaryDirectory } from '../sinks/temporary-directory.ts'

/** Takes all rows but those of page `cursed`. */
const taken: string[] = []
const webhook = createServer(async (request, response) => {
  const { rows } = JSON.parse(await text(request)) as { rows: { page: string }[] }
  if (rows.some(({ page }) => page === 'cursed')) return void response.writeHead(422).end()
  taken.push(...rows.map(({ page }) => page))
  response.end()
}).listen(0, '127.0.0.1')
await once(webhook, 'listening')
after(() => webhook.close().closeAllConnections())
const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`

let records: MemoryStream
beforeEach(() => {
  taken.length = 0
  records = new MemoryStream({ data: 'BLOB', partitionKey: 'VARCHAR', sequenceNumber: 'VARCHAR' })
})

let next = 0
function feed(...texts: readonly string[]): void {
  const rows = texts.map((data) => ({
    data: Buffer.from(data),
    partitionKey: next % 2 === 0 ? `k${next}` : null,
    sequenceNumber: String(next++),
  }))
  records.add(...rows)
}
beforeEach(() => {
  next = 0
})

const click = (page: string, at: string) => JSON.stringify({ page, at: `2026-01-01T00:${at}:00Z` })

/** Fails once, when it has written. */
function failingOnce(name: string) {
  const format = SINKS[name]!
  let isDue = true
  return {
    ...format,
    open: async (context: SinkContext) => {
      const sink = await format.open(context)
      return {
        description: sink.description,
        guarantee: sink.guarantee,
        close: () => sink.close(),
        write: async (...batch: Parameters<typeof sink.write>) => {
          await sink.write(...batch)
          if (isDue) {
            isDue = false
            throw new Error('the power went off')
          }
        },
      }
    },
  }
}

async function run(options: Readonly<Record<string, OptionValue>>, flaky = failingOnce('parquet')) {
  const session = await Session.create({ log: silentLogger })
  session.registerSink('flaky', flaky)
  const query = await session.readStream
    .format(records)
    .option('mode', 'DROPMALFORMED')
    .schema({ page: 'VARCHAR', at: 'TIMESTAMP' })
    .load()
    .withWatermark('at', '1 minute')
    .select('page', 'at')
    .dropDuplicates('page', 'at')
    .writeStream.format('http')
    .options({ url, ...options })
    .trigger({ availableNow: true })
    .start()
  await query.awaitTermination().catch(() => undefined)
  const explained = query.explain()
  await session.close()
  return { query, explained }
}

async function letters(path: string): Promise<Row[]> {
  const session = await Session.create({ log: silentLogger })
  const rows = await session
    .sql(
      `SELECT kind, origin, reason, "batchId", "partitionKey", decode(data) AS data, details
       FROM read_parquet('${path}/**/*.parquet') ORDER BY "batchId", kind`,
    )
    .collect()
  await session.close()
  return rows
}

test('bad records, late rows and refused rows go to the dead letters, once, whatever crashes', async () => {
  const path = join(temporaryDirectory(), 'dead')
  const options = {
    checkpointLocation: temporaryDirectory(),
    refusedRows: 'deadLetter',
    'deadLetter.format': 'flaky',
    'deadLetter.path': path,
  }
  const flaky = failingOnce('parquet')
  feed(click('/', '10'), '{"page":', click('cursed', '10'))
  const first = await run(options, flaky)
  assert.equal(first.query.exception?.code, 'SINK_FAILED')
  assert.equal(first.query.lastProgress, undefined)
  assert.match(first.explained, /\n== Dead letters ==\nflaky, exactly-once: /)
  await run(options, flaky)
  feed(click('/a', '11'))
  await run(options, flaky)
  feed(click('/late', '05'), click('/b', '12'))
  const last = await run(options, flaky)
  assert.equal(last.query.exception, undefined)
  assert.deepEqual(taken.sort(), ['/', '/', '/a', '/b'])
  const queryId = last.query.id
  const found = await letters(path)
  assert.deepEqual(
    found.map((letter) => ({ ...letter, origin: String(letter['origin']).replace(/\d{4,}/, '…') })),
    [
      {
        kind: 'bad',
        origin: 'memory[memory]',
        reason: 'it is not one JSON object',
        batchId: 0n,
        partitionKey: queryId,
        data: '{"page":',
        details: '{"partitionKey":null,"sequenceNumber":"1"}',
      },
      {
        kind: 'refused',
        origin: 'http[http://127.0.0.1:…/]',
        reason: 'HTTP 422 Unprocessable Entity',
        batchId: 0n,
        partitionKey: queryId,
        data: '{"page":"cursed","at":"2026-01-01 00:10:00"}',
        details: null,
      },
      {
        kind: 'late',
        origin: 'dedup_0',
        reason: 'behind the watermark 2026-01-01 00:09:00',
        batchId: 2n,
        partitionKey: queryId,
        data: '{"page":"/late","at":"2026-01-01 00:05:00"}',
        details: null,
      },
    ],
  )
})

test('without any there is nothing', async () => {
  const path = join(temporaryDirectory(), 'dead')
  feed(click('/', '10'))
  await run({ 'deadLetter.format': 'parquet', 'deadLetter.path': path })
  assert.deepEqual(taken, ['/'])
  assert.equal(existsSync(join(path, '_sluice')), false)
})

test('rows that go nowhere, and options that make no sense, are refused at the start', async () => {
  const wrong: [Record<string, OptionValue>, string, RegExp][] = [
    [{ refusedRows: 'deadLetter' }, 'OPTION_MISSING', /deadLetter\.format/],
    [{ 'deadLetter.path': '/x' }, 'OPTION_MISSING', /deadLetter\.format/],
    [{ 'deadLetter.format': 'parqet' }, 'FORMAT_UNKNOWN', /parquet/],
    [{ 'deadLetter.format': 'parquet', 'DEADLETTER.PTH': '/x' }, 'OPTION_UNKNOWN', /dead letters.*path/],
    [{ 'deadLetter.format': 'parquet' }, 'OPTION_MISSING', /path/],
  ]
  for (const [options, code, message] of wrong) await assert.rejects(run(options), { code, message })
})

for (const format of ['parquet', 'json'] as const) {
  test(`letters in ${format} files are a stream that can be queried`, async () => {
    const path = join(temporaryDirectory(), 'dead')
    feed(click('/', '10'), '\u0000{"page":', click('cursed', '10'))
    await run({ refusedRows: 'deadLetter', 'deadLetter.format': format, 'deadLetter.path': path })
    const session = await Session.create({ log: silentLogger })
    const rows: Row[] = []
    const query = await session
      .deadLetters(path, { format, kinds: ['bad'] })
      .select('kind', 'partitionKey', 'data', 'details')
      .writeStream.trigger({ availableNow: true })
      .foreach({ process: (row) => void rows.push(row) })
      .start()
    await query.awaitTermination()
    await session.close()
    assert.equal(rows.length, 1)
    const [{ kind, data, details }] = rows as [Row]
    assert.deepEqual([kind, Buffer.from(data as Uint8Array).toString()], ['bad', '\u0000{"page":'])
    assert.equal(details, '{"partitionKey":null,"sequenceNumber":"1"}')
  })
}

test('sluice replay-dead-letters puts the bytes back into a stream, each letter once', async (t) => {
  const path = join(temporaryDirectory(), 'dead')
  const double = new KinesisDouble({ region: 'eu-west-1' })
  double.createStream('clicks')
  const { endpointUrl } = await double.listen()
  t.after(() => double.close())
  const query = {
    checkpointLocation: temporaryDirectory(),
    refusedRows: 'deadLetter',
    'deadLetter.format': 'parquet',
    'deadLetter.path': path,
  }
  const options = ['streamName=clicks', 'region=eu-west-1', `endpointUrl=${endpointUrl}`, 'awsAccessKeyId=A']
  const replay = () =>
    sluice([
      'replay-dead-letters',
      path,
      `--checkpoint=${join(path, '..', 'replayed')}`,
      ...[...options, 'awsSecretKey=s3cretkey'].map((option) => `--option=${option}`),
    ])
  const texts = () =>
    double
      .records('clicks', double.shards('clicks')[0]!.id)
      .map(({ Data }) => Buffer.from(Data ?? []).toString())
  feed('{"page":', click('cursed', '10'))
  await run(query)
  const counted = await sluice(['replay-dead-letters', path, '--count'])
  assert.deepEqual(
    counted.stdout.split('\n').map((line) => line.replace(/:\d{4,}/, ':…')),
    [
      '{"kind":"bad","origin":"memory[memory]","reason":"it is not one JSON object","count":1}',
      '{"kind":"refused","origin":"http[http://127.0.0.1:…/]","reason":"HTTP 422 Unprocessable Entity","count":1}',
      '',
    ],
  )
  assert.deepEqual([counted.code, counted.stderr], [0, ''])
  assert.equal(texts().length, 0)
  const late = await sluice(['replay-dead-letters', path, '--count', '--kind=late'])
  assert.equal(late.stdout, 'no dead letters\n')
  const forgetful = await sluice(['replay-dead-letters', path])
  assert.notEqual(forgetful.code, 0)
  assert.match(forgetful.stderr, /--checkpoint is missing/)
  assert.deepEqual(await replay(), {
    code: 0,
    stdout: 'replayed 2 letters into kinesis[clicks]\n',
    stderr: '',
  })
  assert.deepEqual(texts(), ['{"page":', '{"page":"cursed","at":"2026-01-01 00:10:00"}'])
  assert.equal(double.records('clicks', double.shards('clicks')[0]!.id)[0]?.PartitionKey, 'k0')
  feed('{"page":2')
  await run(query)
  assert.equal((await replay()).stdout, 'replayed 1 letter into kinesis[clicks]\n')
  assert.deepEqual(texts().slice(2), ['{"page":2'])
})
