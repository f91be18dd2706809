// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have places of this form
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { KinesisDouble } from '../../src/testing/index.ts'
import { inDirectory, Running, temporaryDirectory } from './sluice.ts'

const double = new KinesisDouble()
const temporary = await temporaryDirectory()
let endpointUrl = ''

beforeEach(async () => {
  endpointUrl ||= (await double.listen()).endpointUrl
  double.clearFaults()
})
after(() => Promise.all([double.close(), temporary.remove()]))

const within = { timeout: 60_000 }

/** Starts the script in a directory of its own, against a new stream `numbers` that holds these. */
async function started(
  sinks: string,
  numbers: readonly string[],
  use: (start: () => Running) => Promise<void>,
): Promise<void> {
  double.createStream('numbers')
  put(numbers)
  try {
    await inDirectory(async (directory) => {
      const stream =
        "CREATE STREAM numbers USING kinesis OPTIONS (streamName 'numbers', region '${region:-us-east-1}', " +
        "startingPosition 'trim_horizon', endpointUrl '${endpointUrl}', awsAccessKeyId 'a', awsSecretKey 'b');\n"
      await writeFile(join(directory, 'a.sql'), stream + sinks)
      const env = { endpointUrl, TMPDIR: temporary.path }
      await use(() => new Running(['run', 'a.sql'], { cwd: directory, env }))
    })
  } finally {
    double.deleteStream('numbers')
  }
}

function put(numbers: readonly string[]): void {
  double.put(
    'numbers',
    numbers.map((data) => ({ partitionKey: data, data })),
  )
}

const SUM = `CREATE SINK sums USING console OPTIONS (outputMode 'complete', checkpointLocation 'checkpoint')
  AS SELECT sum(data::VARCHAR::BIGINT)::BIGINT AS total FROM numbers;`

test(
  'a signal lets the batch finish and exits with 0; the next start goes on from there',
  within,
  async () => {
    await started(SUM, ['1', '20'], async (start) => {
      const first = start()
      await first.wrote('stdout', /\| +21 \|/)
      first.process.kill('SIGTERM')
      const stopped = await first.ended
      assert.equal(stopped.code, 0, stopped.stderr)
      assert.match(stopped.stderr, /INFO: new query: starts at trim_horizon/)
      assert.match(stopped.stderr, /SIGTERM: stopping after the running batch[\s\S]*INFO: stopped\n$/)
      put(['300'])
      const second = start()
      await second.wrote('stdout', /\| +321 \|/)
      second.process.kill('SIGINT')
      const again = await second.ended
      assert.equal(again.code, 0, again.stderr)
      assert.match(again.stderr, /INFO: resum/)
      assert.match(again.stdout, /^-+\nBatch: 1 of sums\n/)
    })
  },
)

test('a query that fails names itself, stops the others and exits with 1', within, async () => {
  const sinks = `CREATE SINK texts USING console AS SELECT data::VARCHAR AS text FROM numbers;\n${SUM}`
  await started(sinks, ['1', 'one'], async (start) => {
    const { code, stderr } = await start().ended
    assert.equal(code, 1)
    assert.match(stderr, /ERROR: query sums failed; the others are stopped/)
    assert.match(stderr, /\nerror BATCH_FAILED\n {2}batch 0 failed and is not committed/)
    assert.doesNotMatch(stderr, /\n\s+at /)
  })
})

test('a second signal ends at once, in the middle of a batch, which comes again', within, async () => {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    const body = (await text(request)).trim()
    // The first request is never answered.
    if (bodies.push(body) > 1) response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const sink = `CREATE SINK posts USING http OPTIONS (url 'http://127.0.0.1:${port}', checkpointLocation 'checkpoint')
    AS SELECT data::VARCHAR AS number FROM numbers;`
  try {
    await started(sink, ['1'], async (start) => {
      const first = start()
      while (bodies.length === 0) await delay(10)
      first.process.kill('SIGTERM')
      await first.wrote('stderr', /a second signal ends at once/)
      first.process.kill('SIGTERM')
      assert.equal((await first.ended).code, 143)
      put(['2'])
      const second = start()
      while (bodies.length < 3) await delay(10)
      second.process.kill('SIGTERM')
      assert.equal((await second.ended).code, 0)
      assert.equal(bodies[1], bodies[0], 'the batch, and no row more')
      assert.match(bodies[2] as string, /"2"/)
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('ends without a word when nobody reads its rows any more', within, async () => {
  await started(SUM, ['1'], async (start) => {
    const running = start()
    running.process.stdout?.destroy()
    const { code, stderr } = await running.ended
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /EPIPE|\n\s+at /)
  })
})
