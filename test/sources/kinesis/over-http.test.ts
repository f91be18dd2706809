import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { connectKinesis } from '../../../src/aws.ts'
import type { Position } from '../../../src/batch.ts'
import { systemClock } from '../../../src/clock.ts'
import { type ErrorCode, hasCode } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/log.ts'
import type { OptionValue } from '../../../src/options.ts'
import { kinesisFormat } from '../../../src/sources/kinesis/format.ts'
import type { Source } from '../../../src/sources/source.ts'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { startKinesisLocal } from '../../support/kinesis-local.ts'
import { never, rowsOf, type SeenRow } from './scene.ts'

interface Endpoint {
  readonly endpointUrl: string
  stop(): Promise<unknown>
}

async function startDouble(): Promise<Endpoint> {
  const double = new KinesisDouble()
  const { endpointUrl } = await double.listen()
  return { endpointUrl, stop: () => double.close() }
}

async function startKinesalite(): Promise<Endpoint> {
  const kinesalite = createRequire(import.meta.url)('kinesalite') as (options: object) => Server
  const server = kinesalite({
    createStreamMs: 0,
    deleteStreamMs: 0,
    updateStreamMs: 0,
    shardLimit: 100,
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { endpointUrl, stop }
}

const KEYS = { awsAccessKeyId: 'test', awsSecretKey: 'test', region: 'us-east-1' }

function open(endpointUrl: string, given: Readonly<Record<string, OptionValue>> = {}): Source {
  const fast = { fetchInterval: '20ms', startingPosition: 'trim_horizon', streamName: 'clicks' }
  const options = new Map(Object.entries({ ...KEYS, endpointUrl, ...fast, ...given }))
  return kinesisFormat.open({ options, clock: systemClock, log: silentLogger })
}

/** Reads until so many rows came, and the source says that there are no more. */
async function readRows(
  source: Source,
  from: Position,
  count: number,
): Promise<{ rows: SeenRow[]; end: Position }> {
  const rows: SeenRow[] = []
  let end = from
  for (let drained = false; rows.length < count || !drained; ) {
    const read = await source.read(end, never)
    rows.push(...rowsOf(read.batch))
    end = read.batch?.range.end ?? end
    drained = read.drained
    assert.ok(rows.length <= count, `${rows.length} rows, ${count} were put`)
    if (read.batch) assert.equal((await source.reread(read.batch.range)).digest, read.batch.digest)
  }
  return { rows, end }
}

function admin(endpointUrl: string): KinesisClient {
  return connectKinesis('test', {
    endpointUrl,
    region: 'us-east-1',
    accessKeyId: 'test',
    secretAccessKey: 'test',
    connectTimeoutMs: 5000,
    requestTimeoutMs: 20_000,
    maxSockets: 8,
  }).client
}

async function active(client: KinesisClient): Promise<void> {
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: 'clicks' }),
    )
    if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return
    await delay(5)
  }
}

async function openShards(client: KinesisClient): Promise<{ id: string; start: bigint; end: bigint }[]> {
  const { Shards } = await client.send(new ListShardsCommand({ StreamName: 'clicks' }))
  return (Shards ?? [])
    .filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
    .map((shard) => ({
      id: shard.ShardId ?? '',
      start: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
      end: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0),
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1))
}

async function reshard(client: KinesisClient): Promise<void> {
  const [first] = await openShards(client)
  const middle = first!.start + (first!.end - first!.start) / 2n
  await client.send(
    new SplitShardCommand({ StreamName: 'clicks', ShardToSplit: first!.id, NewStartingHashKey: `${middle}` }),
  )
  await active(client)
  const [, second, third] = await openShards(client)
  await client.send(
    new MergeShardsCommand({
      StreamName: 'clicks',
      ShardToMerge: second!.id,
      AdjacentShardToMerge: third!.id,
    }),
  )
  await active(client)
}

for (const [name, start] of Object.entries({
  double: startDouble,
  'kinesis-local': startKinesisLocal,
  kinesalite: startKinesalite,
})) {
  test(`over HTTP against ${name}: every record once and in order, over a reshard and a restart`, async () => {
    const endpoint = await start()
    const client = admin(endpoint.endpointUrl)
    try {
      await client.send(new CreateStreamCommand({ StreamName: 'clicks', ShardCount: 2 }))
      await active(client)
      let next = 0
      const put = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          const key = `key${next % 5}`
          const data =
            next % 4 === 3
              ? aggregate([
                  { partitionKey: key, data: `${next++}` },
                  { partitionKey: key, data: `${next++}` },
                ])
              : Buffer.from(`${next++}`)
          await client.send(new PutRecordCommand({ StreamName: 'clicks', PartitionKey: key, Data: data }))
        }
      }
      await put(20)
      const first = open(endpoint.endpointUrl, { maxFetchRecordsPerShard: 7, maxRecordPerRead: 5 })
      const before = await readRows(first, await first.initial(), next)
      await first.close()
      const between = next
      await put(10)
      await reshard(client)
      await put(10)
      const second = open(endpoint.endpointUrl, { maxFetchRecordsPerShard: 3 })
      const position = JSON.parse(JSON.stringify(before.end)) as Position
      await second.resume(position)
      const after = await readRows(second, position, next - between)
      await second.close()
      const rows = [...before.rows, ...after.rows]
      assert.deepEqual(
        rows.map((row) => Number(row.text)).sort((a, b) => a - b),
        Array.from({ length: next }, (_, i) => i),
      )
      for (let key = 0; key < 5; key++) {
        const own = rows.filter((row) => row.partitionKey === `key${key}`).map((row) => Number(row.text))
        assert.deepEqual(
          own,
          own.toSorted((a, b) => a - b),
          `order of key ${key}`,
        )
      }
    } finally {
      client.destroy()
      await endpoint.stop()
    }
  })
}

async function failure(work: Promise<unknown>, code: ErrorCode): Promise<string> {
  let message = ''
  await assert.rejects(work, (error) => {
    message = String(error)
    return hasCode(error, code)
  })
  return message
}

test('a wrong region, key or secret is refused by the service, and the message says what to check', async () => {
  const double = new KinesisDouble({
    credentials: { accessKeyId: 'test', secretAccessKey: 'test', region: 'us-east-1' },
  })
  const { endpointUrl } = await double.listen()
  double.createStream('clicks')
  for (const wrong of [{ region: 'eu-west-1' }, { awsAccessKeyId: 'other' }, { awsSecretKey: 'canary' }]) {
    const source = open(endpointUrl, wrong)
    const message = await failure(source.initial(), 'AWS_CREDENTIALS_REJECTED')
    assert.match(message, /the region is the one of the endpoint/)
    assert.doesNotMatch(message, /canary/)
    await source.close()
  }
  const right = open(endpointUrl)
  await right.initial()
  await right.close()
  await double.close()
})

test('an expired token is refreshed once and reading goes on', async () => {
  const double = new KinesisDouble()
  const { endpointUrl } = await double.listen()
  double.createStream('clicks')
  double.put('clicks', { partitionKey: 'k', data: 'x' })
  const source = open(endpointUrl)
  const position = await source.initial()
  double.fault({
    operation: 'GetRecords',
    times: 1,
    action: { kind: 'error', code: 'ExpiredTokenException' },
  })
  assert.equal((await readRows(source, position, 1)).rows.length, 1)
  await source.close()
  await double.close()
})

test('nobody listening on the endpoint is told after three tries', async () => {
  const double = new KinesisDouble()
  const { endpointUrl } = await double.listen()
  await double.close()
  const source = open(endpointUrl)
  const message = await failure(source.initial(), 'AWS_UNREACHABLE')
  assert.ok(message.includes(new URL(endpointUrl).host))
  await source.close()
})

test('a stream that does not exist is named with region and host', async () => {
  const double = new KinesisDouble()
  const { endpointUrl } = await double.listen()
  const source = open(endpointUrl)
  const message = await failure(source.initial(), 'KINESIS_STREAM_NOT_FOUND')
  assert.ok(
    message.includes("'clicks'") &&
      message.includes('us-east-1') &&
      message.includes(new URL(endpointUrl).host),
  )
  await source.close()
  await double.close()
})

test('a stream is read by its ARN', async () => {
  const double = new KinesisDouble()
  const { endpointUrl } = await double.listen()
  double.createStream('clicks')
  double.put('clicks', { partitionKey: 'k', data: 'x' })
  const source = open(endpointUrl, { streamArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks' })
  assert.equal((await readRows(source, await source.initial(), 1)).rows.length, 1)
  await source.close()
  await double.close()
})
