import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, beforeEach, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { type Logger, silentLogger } from '../../src/log.ts'
import { httpFormat } from '../../src/sinks/http/format.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { Bench } from '../conformance/sink.ts'
import { temporaryDirectory } from './temporary-directory.ts'

interface Received {
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: { queryId: string; batchId: number; part: string; rows: Record<string, unknown>[] }
  readonly bytes: number
}

/** How the receiver answers, request by request. */
let answer: (received: Received, response: ServerResponse) => void
let requests: Received[] = []

const server: Server = createServer(async (request, response) => {
  const body = await text(request)
  const { url, headers } = request
  const received = { url, headers, body: JSON.parse(body), bytes: Buffer.byteLength(body) }
  requests.push(received)
  answer(received, response)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const bench = await Bench.open()

const format = httpFormat
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=s3cret`
const quick = { retryInterval: 1, maxRetryInterval: 2 }
const status =
  (code: number, headers = {}) =>
  (_: Received, response: ServerResponse) =>
    void response.writeHead(code, headers).end()

beforeEach(() => {
  requests = []
  answer = status(204)
})

after(() => {
  bench.close()
  server.close().closeAllConnections()
})

async function write(sql: string, options: object = {}, batchId = 0): Promise<void> {
  const sink = await bench.open(format, sql, 'append', { url, ...quick, ...options })
  await bench.write(sink, batchId, sql)
  await sink.close()
}

const parts = () => requests.map(({ body }) => body.part)
const numbers = (rows: readonly Record<string, unknown>[]) => rows.map(({ i }) => i)

test('rows are posted in parts, each with its key, and with the headers of the user', async () => {
  const headers = '{"X-Tenant":"a"}'
  const sql = "SELECT i, 'é' AS s FROM range(7) r(i)"
  await write(sql, { maxRowsPerRequest: 3, authorization: 'Bearer t', headers }, 5)
  assert.deepEqual(
    requests.map((request) => request.headers['idempotency-key']),
    ['query 1/5/0-2', 'query 1/5/3-5', 'query 1/5/6-6'],
  )
  const [first] = requests
  assert.equal(first?.url, '/hook?key=s3cret')
  assert.equal(first?.headers['content-type'], 'application/json')
  assert.equal(first?.headers.authorization, 'Bearer t')
  assert.equal(first?.headers['x-tenant'], 'a')
  assert.deepEqual(first?.body, {
    queryId: 'query 1',
    batchId: 5,
    part: '0-2',
    rows: [0, 1, 2].map((i) => ({ i, s: 'é' })),
  })
})

test('a batch that comes again in another order makes the same parts', async () => {
  const rows = (order: string) => `SELECT i, {'x': i % 3} AS n FROM range(9) r(i) ORDER BY i ${order}`
  await write(rows('ASC'), { maxRowsPerRequest: 4 })
  const first = requests
  requests = []
  await write(rows('DESC'), { maxRowsPerRequest: 4 })
  assert.deepEqual(
    requests.map(({ body }) => body),
    first.map(({ body }) => body),
  )
})

test('a body stays below its limit, and a row that is larger fails the batch', async () => {
  const sql = "SELECT i, repeat('x', 400) AS s FROM range(20) r(i)"
  await write(sql, { maxPayloadBytes: 2048 })
  assert.ok(requests.length > 5)
  for (const { bytes } of requests) assert.ok(bytes <= 2048, `${bytes} bytes`)
  assert.deepEqual(
    requests.flatMap(({ body }) => numbers(body.rows)),
    Array.from({ length: 20 }, (_, i) => i),
  )
  const large = "SELECT repeat('x', 3000) AS s"
  await assert.rejects(write(large, { maxPayloadBytes: 2048 }), {
    code: 'SINK_ROW',
    message: /row 0 .*3009 bytes/,
  })
})

test('no rows, no request', async () => {
  await write('SELECT 1 AS i WHERE false')
  assert.equal(requests.length, 0)
})

test('what may pass is tried again with the same key, until it passes', async () => {
  const hang = () => undefined
  const cut = (_: Received, response: ServerResponse) => void response.destroy()
  const failures = [
    status(500),
    status(503, { 'retry-after': '0' }),
    status(429, { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }),
    cut,
    hang,
  ]
  answer = (received, response) => (failures.shift() ?? status(200))(received, response)
  await write('SELECT 1 AS i', { requestTimeout: '100ms' })
  assert.equal(requests.length, 6)
  assert.equal(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size, 1)
})

test('what does not pass fails the batch after a time, with the last reason', async () => {
  answer = status(503)
  await assert.rejects(write('SELECT 1 AS i', { maxRetryTime: '30ms' }), {
    code: 'SINK_HTTP_UNAVAILABLE',
    message: /127\.0\.0\.1:\d+\/hook did not take rows 0-0 of batch 0 for \d+ s: HTTP 503/,
  })
  assert.ok(requests.length > 1)
  const closed = { url: 'http://127.0.0.1:1/', maxRetryTime: 0 }
  await assert.rejects(write('SELECT 1 AS i', closed), {
    code: 'SINK_HTTP_UNAVAILABLE',
    message: /ECONNREFUSED|bad port/,
  })
})

test('a row that is at fault is found by halving, and the others are delivered', async () => {
  const delivered: unknown[] = []
  answer = ({ body }, response) => {
    const rows = numbers(body.rows)
    if (rows.includes(5)) return void response.writeHead(422).end()
    delivered.push(...rows)
    response.end()
  }
  const warnings: unknown[] = []
  const log = { warn: (params: unknown) => void warnings.push(params) } as unknown as Logger
  const sql = 'SELECT i FROM range(8) r(i)'
  const context = {
    queryId: 'q',
    queryName: 'n',
    clock: bench.clock,
    stop: bench.stopping.signal,
    outputMode: 'append',
    schema: [{ name: 'i', type: 'BIGINT' }],
  } as const
  const options = new Map(Object.entries({ url, ...quick, refusedRows: 'drop' }))
  const sink = await format.open({ ...context, options, log })
  await bench.write(sink, 2, sql)
  assert.deepEqual(delivered, [0, 1, 2, 3, 4, 6, 7])
  assert.deepEqual(parts(), ['0-7', '0-3', '4-7', '4-5', '4-4', '5-5', '6-7'])
  assert.equal(warnings.length, 1)
  assert.match(JSON.stringify(warnings), /"rows":"5-5","batch":2/)
  await assert.rejects(write(sql), { code: 'SINK_HTTP_REFUSED', message: /rows 5-5 of batch 0: HTTP 422/ })
})

test('a query that is stopped while its sink waits ends at once, and the batch comes again at the next start', async () => {
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ i: 'BIGINT' })
  const options = { url, retryInterval: '1h', maxRetryInterval: '1h', maxRetryTime: '10h' }
  const start = () =>
    session.readStream
      .format(stream)
      .load()
      .writeStream.format('http')
      .options({ ...options, checkpointLocation })
      .start()
  const checkpointLocation = temporaryDirectory()
  stream.add({ i: 1n })
  const refused = new Promise<void>((resolve) => {
    answer = (received, response) => {
      status(503)(received, response)
      response.once('close', resolve)
    }
  })
  const stopped = await start()
  await refused
  await stopped.stop()
  assert.equal(stopped.exception, undefined)
  assert.equal(stopped.lastProgress, undefined)
  answer = status(200)
  requests = []
  const again = await start()
  await again.processAllAvailable()
  assert.deepEqual(
    requests.map(({ headers }) => headers['idempotency-key']),
    [`${stopped.id}/0/0-0`],
  )
  await session.close()
})

test('what is not the fault of the rows fails at once, and a redirect is not followed', async () => {
  for (const code of [301, 401, 403, 404, 405]) {
    requests = []
    answer = status(code, { location: url })
    await assert.rejects(write('SELECT i FROM range(4) r(i)'), { code: 'SINK_HTTP_REFUSED' })
    assert.equal(requests.length, 1, String(code))
  }
})

test('no message holds a secret', async () => {
  const secrets = [/s3cret/, /hunter2/]
  const attempts = [
    {},
    { url: 'http://user:hunter2@127.0.0.1/' },
    { url: 'ftp://127.0.0.1/?key=s3cret' },
    { headers: '["hunter2"]' },
    { headers: '{"bad name":"hunter2"}' },
    { headers: 'hunter2' },
  ]
  answer = status(403)
  for (const options of attempts) {
    await assert.rejects(write('SELECT 1 AS i', options), (error: Error) => {
      for (const secret of secrets) assert.doesNotMatch(error.message, secret)
      return true
    })
  }
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append', { url })
  assert.match(sink.description, /^http\[http:\/\/127\.0\.0\.1:\d+\/hook\]$/)
})
