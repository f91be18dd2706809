import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { SINKS } from '../../src/sinks/index.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { Bench } from '../conformance/sink.ts'
import { forSeeds } from '../support/seeds.ts'

/** Each batch takes four requests. */
const REQUESTS = 4
const ROWS = 100
const rowsOf = (batch: number) => {
  const item = `to_json({'batch': ${batch}, 'i': i})::VARCHAR`
  return `SELECT ${item} AS data, 'k' || i AS "partitionKey" FROM range(${ROWS}) r(i)`
}
const expected = [0, 1].flatMap((batch) => Array.from({ length: ROWS }, (_, i) => `${batch} ${i}`)).sort()
const nameOf = ({ batch, i }: { batch: number; i: number }) => `${batch} ${i}`

/** Two batches by a process that dies at some request of the second, which then comes again, as at the next start. */
async function writeTwice(sink: string, options: object, failpoint: string, hit: number): Promise<void> {
  const args = [
    join(import.meta.dirname, 'sending-child.ts'),
    sink,
    JSON.stringify(options),
    rowsOf(0),
    rowsOf(1),
  ]
  const env = { ...process.env, SLUICE_FAILPOINT: `${failpoint}:${hit}:kill` }
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [, signal] = await once(child, 'exit')
  assert.equal(signal, 'SIGKILL')
  const bench = await Bench.open()
  const next = await bench.open(SINKS[sink]!, rowsOf(1), 'append', options)
  await bench.write(next, 1, rowsOf(1))
  await next.close()
  bench.close()
}

test('a process that dies between two PutRecords loses nothing, and provenance tells what was sent twice', async (t) => {
  const double = new KinesisDouble({ region: 'eu-west-1' })
  const { endpointUrl } = await double.listen()
  t.after(() => double.close())
  await forSeeds(
    1,
    async (random, seed) => {
      const streamName = `out-${seed}`
      double.createStream(streamName)
      const where = {
        streamName,
        endpointUrl,
        region: 'eu-west-1',
        awsAccessKeyId: 'A',
        awsSecretKey: 'secret',
      }
      const options = { ...where, maxRecordsPerRequest: ROWS / REQUESTS, provenance: 'field' }
      const hit = 1 + random.below(REQUESTS)
      await writeTwice('kinesis', options, 'sink.sent', REQUESTS + hit)
      const [shard] = double.shards(streamName)
      const texts = double
        .records(streamName, shard!.id)
        .map(({ Data }) => Buffer.from(Data ?? []).toString())
      assert.equal(texts.length, 2 * ROWS + (hit * ROWS) / REQUESTS)
      assert.deepEqual([...new Set(texts)].map((text) => nameOf(JSON.parse(text))).sort(), expected)
    },
    1000,
  )
})

test('a process that dies between two requests of a webhook loses nothing, and the keys tell what was sent twice', async (t) => {
  const received = new Map<string, string[]>()
  let requests = 0
  const webhook = createServer(async (request, response) => {
    const { rows } = (await json(request)) as { rows: { data: string }[] }
    requests++
    const key = `${request.url} ${request.headers['idempotency-key']}`
    const names = rows.map(({ data }) => nameOf(JSON.parse(data)))
    // The same key stands for the same rows.
    assert.deepEqual(received.get(key) ?? names, names)
    received.set(key, names)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(webhook, 'listening')
  t.after(() => webhook.close().closeAllConnections())
  await forSeeds(
    1,
    async (random, seed) => {
      received.clear()
      requests = 0
      const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/${seed}`
      const hit = 1 + random.below(REQUESTS)
      await writeTwice('http', { url, maxRowsPerRequest: ROWS / REQUESTS }, 'sink.posted', REQUESTS + hit)
      assert.equal(requests, 2 * REQUESTS + hit)
      assert.deepEqual([...received.values()].flat().sort(), expected)
    },
    1000,
  )
})
