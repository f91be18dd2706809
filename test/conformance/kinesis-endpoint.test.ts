import { once } from 'node:events'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { startKinesisLocal } from '../support/kinesis-local.ts'
import { kinesisEndpointSuite } from './kinesis-endpoint.ts'

kinesisEndpointSuite({
  name: 'the double',
  differences: [],
  start: async () => {
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen()
    return { endpointUrl, stop: () => double.close() }
  },
})

kinesisEndpointSuite({
  name: 'kinesis-local',
  differences: [
    'bad-iterator-is-a-server-error',
    'foreign-sequence-numbers-pass',
    'needless-sequence-numbers-pass',
    'puts-of-any-number-pass',
    'slow-puts',
    'splits-at-borders-pass',
  ],
  start: startKinesisLocal,
})

kinesisEndpointSuite({
  name: 'kinesalite',
  differences: [
    'late-shard-end',
    'limit-is-a-constraint',
    'never-behind',
    'no-arn',
    'no-child-shards',
    'no-paging',
    'no-scaling',
    'no-shard-filter',
    'no-size-cap',
    'silent-at-timestamp',
  ],
  start: async () => {
    const kinesalite = createRequire(import.meta.url)('kinesalite') as (options: object) => Server
    const server = kinesalite({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 1000 })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      endpointUrl: `http://127.0.0.1:${port}`,
      stop: async () => {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      },
    }
  },
})
