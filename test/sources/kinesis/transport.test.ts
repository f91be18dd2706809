import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connectKinesis } from '../../../src/aws.ts'
import { systemClock } from '../../../src/clock.ts'
import { parseKinesisOptions } from '../../../src/sources/kinesis/options.ts'
import { SdkTransport } from '../../../src/sources/kinesis/transport.ts'

test('a signal ends the request that it was given with, and no other', async () => {
  const waiting: ServerResponse[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => waiting.push(response))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { aws } = parseKinesisOptions(
    new Map(
      Object.entries({
        streamName: 'clicks',
        region: 'us-east-1',
        endpointUrl: url,
        awsAccessKeyId: 'a',
        awsSecretKey: 'b',
      }),
    ),
  )
  const transport = new SdkTransport(connectKinesis('a test', aws), url, systemClock)
  const arrived = async (count: number): Promise<void> => {
    while (waiting.length < count) await systemClock.sleep(1)
  }
  try {
    // One travels over our own connections, the other over the SDK's; each is asked twice, by layers that are kept.
    for (const [request, input] of [
      ['GetRecords', { ShardIterator: 'AAAA', Limit: 1 }],
      ['ListShards', { StreamName: 'clicks' }],
    ] as const) {
      for (let turn = 0; turn < 2; turn++) {
        const signals = [new AbortController(), new AbortController()] as const
        const [ended, answered] = signals.map(({ signal }) => transport.send(request, input, signal)) as [
          Promise<unknown>,
          Promise<{ output: object }>,
        ]
        const outcome = ended.catch((error: Error) => error.name)
        await arrived(2)
        signals[0].abort()
        assert.equal(await outcome, 'AbortError', request)
        for (const response of waiting.splice(0)) {
          response.setHeader('content-type', 'application/x-amz-json-1.1')
          response.end('{"Records":[],"Shards":[]}')
        }
        assert.ok((await answered).output, request)
      }
    }
  } finally {
    transport.close()
    server.closeAllConnections()
    server.close()
  }
})
