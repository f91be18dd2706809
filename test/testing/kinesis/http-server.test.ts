import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import fc from 'fast-check'
import { readCbor } from '../../../src/testing/kinesis/cbor-reader.ts'
import { CborWriter } from '../../../src/testing/kinesis/cbor-writer.ts'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { InputOf, OperationName } from '../../../src/testing/kinesis/operations.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'

const seed = process.env['SLUICE_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }
const FIRST = 'shardId-000000000000'

async function post(
  url: string,
  operation: string,
  type: string,
  body: string | Uint8Array,
): Promise<Response> {
  return await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type, 'x-amz-target': `Kinesis_20131202.${operation}` },
    body: typeof body === 'string' ? body : Uint8Array.from(body),
  })
}

async function askCbor<O extends OperationName>(
  url: string,
  operation: O,
  input: InputOf<O>,
): Promise<Record<string, unknown>> {
  const writer = new CborWriter({ lengths: 'indefinite' })
  writer.value(input)
  const response = await post(url, operation, 'application/x-amz-cbor-1.1', writer.finish())
  assert.equal(response.headers.get('content-type'), 'application/x-amz-cbor-1.1')
  const bytes = new Uint8Array(await response.arrayBuffer())
  return bytes.length === 0 ? {} : (readCbor(bytes) as Record<string, unknown>)
}

async function askJson(
  url: string,
  operation: OperationName,
  input: object,
): Promise<Record<string, unknown>> {
  return (await (
    await post(url, operation, 'application/x-amz-json-1.1', JSON.stringify(input))
  ).json()) as Record<string, unknown>
}

describe('formats', () => {
  for (const cborLengths of ['definite', 'indefinite'] as const) {
    test(`CBOR with ${cborLengths} lengths carries bytes and times as they are`, async () => {
      const clock = new ManualClock()
      const double = new KinesisDouble({ clock })
      const { endpointUrl } = await double.listen({ cborLengths })
      assert.deepEqual(await askCbor(endpointUrl, 'CreateStream', { StreamName: 's', ShardCount: 1 }), {})
      const Data = Buffer.from([0, 255, 128])
      const put = await askCbor(endpointUrl, 'PutRecords', {
        StreamName: 's',
        Records: [{ PartitionKey: 'é', Data }],
      })
      assert.equal(put['FailedRecordCount'], 0)
      const Timestamp = new Date(clock.now())
      const { ShardIterator } = await askCbor(endpointUrl, 'GetShardIterator', {
        StreamName: 's',
        ShardId: FIRST,
        ShardIteratorType: 'AT_TIMESTAMP',
        Timestamp,
      })
      const got = await askCbor(endpointUrl, 'GetRecords', { ShardIterator: String(ShardIterator) })
      assert.deepEqual(got['Records'], double.records('s', FIRST))
      assert.deepEqual(await askCbor(endpointUrl, 'ListShards', { StreamName: 'none' }), {
        __type: 'ResourceNotFoundException',
        message: 'Stream none under account 123456789012 not found.',
      })
      await double.close()
    })
  }

  test('any stretch of a shard reads the same in-process, in JSON and in CBOR, encoded before or not', async () => {
    const clock = new ManualClock()
    const double = new KinesisDouble({ clock })
    const { endpointUrl } = await double.listen()
    double.createStream('s')
    const count = 2000
    for (let i = 0; i < count; i++) {
      clock.jump(i % 7)
      double.put('s', { partitionKey: i % 3 ? `key ${i}` : `ключ "${i}"`, data: Buffer.alloc(i % 50, i) })
    }
    const records = double.records('s', FIRST)
    double.trim('s', FIRST, records[99]?.SequenceNumber)
    const stretch = fc.tuple(fc.integer({ min: 100, max: count - 1 }), fc.integer({ min: 1, max: 1500 }))
    await fc.assert(
      fc.asyncProperty(stretch, async ([from, limit]) => {
        const ask = {
          StreamName: 's',
          ShardId: FIRST,
          ShardIteratorType: 'AT_SEQUENCE_NUMBER',
          StartingSequenceNumber: records[from]?.SequenceNumber,
        } as const
        const { ShardIterator } = await double.handle('GetShardIterator', ask)
        const plain = await double.handle('GetRecords', { ShardIterator, Limit: limit })
        assert.deepEqual(plain.Records, records.slice(from, from + limit))
        assert.deepEqual(await askCbor(endpointUrl, 'GetRecords', { ShardIterator, Limit: limit }), plain)
        const json = await askJson(endpointUrl, 'GetRecords', { ShardIterator, Limit: limit })
        const { Records, ...rest } = json as { Records: Record<string, unknown>[] }
        const { Records: _, ...expected } = plain
        assert.deepEqual(rest, expected)
        assert.deepEqual(
          Records.map((record) => ({
            ...record,
            Data: Buffer.from(String(record['Data']), 'base64'),
            ApproximateArrivalTimestamp: new Date(
              Math.round(Number(record['ApproximateArrivalTimestamp']) * 1000),
            ),
          })),
          plain.Records,
        )
      }),
      { ...replay, numRuns: 30 },
    )
    await double.close()
  })

  test('what is not JSON, not an input, or not an operation is refused', async () => {
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen()
    const json = 'application/x-amz-json-1.1'
    const refusal = async (operation: string, type: string, body: string | Uint8Array): Promise<unknown> => {
      const response = await post(endpointUrl, operation, type, body)
      assert.equal(response.status, 400)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const answer = type === json ? JSON.parse(Buffer.from(bytes).toString()) : readCbor(bytes)
      return (answer as { __type: unknown }).__type
    }
    assert.equal(await refusal('ListShards', json, '{'), 'SerializationException')
    assert.equal(await refusal('ListShards', json, '[]'), 'SerializationException')
    assert.equal(await refusal('ListShards', json, '{"StreamName":5}'), 'SerializationException')
    assert.equal(await refusal('PutRecord', json, '{"StreamName":"s","Data":"%"}'), 'SerializationException')
    assert.equal(
      await refusal('ListShards', 'application/x-amz-cbor-1.1', Buffer.from('a1', 'hex')),
      'SerializationException',
    )
    assert.equal(await refusal('Nonsense', json, '{}'), 'UnknownOperationException')
    await double.close()
  })
})

describe('the connection', () => {
  test('answers carry a request id and the time of the double', async () => {
    const clock = new ManualClock({ start: Date.UTC(2030, 4, 5, 6, 7, 8) })
    const double = new KinesisDouble({ clock })
    const { endpointUrl } = await double.listen()
    const response = await post(endpointUrl, 'ListStreams', 'application/x-amz-json-1.1', '{}')
    await response.text()
    assert.equal(response.headers.get('date'), 'Sun, 05 May 2030 06:07:08 GMT')
    assert.match(response.headers.get('x-amzn-requestid') ?? '', /^[\da-f-]{36}$/)
    await double.close()
  })

  test('closing ends connections that are kept alive, and those that hang', async () => {
    const double = new KinesisDouble()
    const { port } = await double.listen()
    double.fault({ action: { kind: 'hang' } })
    const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      await once(socket, 'connect')
    }
    sockets[0]?.write(
      'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\nContent-Length: 2\r\n\r\n{}',
    )
    while (double.calls.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = sockets.map((socket) => once(socket, 'close'))
    await double.close()
    await Promise.all(closed)
    await double.close()
  })
})

describe('credentials', () => {
  const double = new KinesisDouble()
  let endpoint = ''
  const clients: KinesisClient[] = []
  before(async () => {
    double.createStream('s')
    endpoint = (await double.listen()).endpointUrl
  })
  after(async () => {
    for (const client of clients) client.destroy()
    await double.close()
  })

  const ask = async (
    given: { region?: string; secretAccessKey?: string; sessionToken?: string } = {},
  ): Promise<string> => {
    const { region = 'eu-west-1', secretAccessKey = 'secret', ...token } = given
    const client = new KinesisClient({
      endpoint,
      region,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey, ...token },
      requestHandler: new NodeHttpHandler(),
      maxAttempts: 1,
    })
    clients.push(client)
    const asked = client.send(new ListShardsCommand({ StreamName: 's' }))
    return await asked.then(
      () => 'ok',
      (error: Error) => `${error.name}: ${error.message}`,
    )
  }

  test('anything goes unless something is required, and the log says who asked', async () => {
    assert.equal(await ask(), 'ok')
    const { accessKeyId, signedRegion, host } = double.calls.at(-1) ?? {}
    assert.deepEqual([accessKeyId, signedRegion, `http://${host}`], ['AKIDEXAMPLE', 'eu-west-1', endpoint])
  })

  test('another region, key, token or secret is refused in the words of the service', async () => {
    double.requireCredentials({ region: 'eu-west-1', accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' })
    assert.equal(await ask(), 'ok')
    assert.match(await ask({ region: 'us-east-1' }), /^InvalidSignature.*valid region, not 'us-east-1'/)
    assert.match(await ask({ secretAccessKey: 'wrong' }), /^InvalidSignature.*does not match/)
    double.requireCredentials({ accessKeyId: 'ANOTHER' })
    assert.match(await ask(), /^UnrecognizedClient/)
    double.requireCredentials({ sessionToken: 'fresh' })
    assert.match(await ask({ sessionToken: 'stale' }), /^ExpiredToken/)
    assert.equal(await ask({ sessionToken: 'fresh' }), 'ok')
    assert.equal(double.calls.at(-2)?.outcome, 'ExpiredTokenException')
  })

  test('an unsigned request is refused when something is required', async () => {
    double.requireCredentials({ region: 'eu-west-1' })
    const response = await post(endpoint, 'ListShards', 'application/x-amz-json-1.1', '{"StreamName":"s"}')
    assert.match(await response.text(), /MissingAuthenticationToken/)
    double.requireCredentials(undefined)
  })
})
