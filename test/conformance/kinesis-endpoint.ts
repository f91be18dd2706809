import { after, before, describe } from 'node:test'
import { EndpointClient } from './kinesis-endpoint/client.ts'
import type { Difference, Differs } from './kinesis-endpoint/differences.ts'
import { iterators } from './kinesis-endpoint/iterators.ts'
import { listing } from './kinesis-endpoint/listing.ts'
import { records } from './kinesis-endpoint/records.ts'
import { resharding } from './kinesis-endpoint/resharding.ts'
import { streams } from './kinesis-endpoint/streams.ts'

export interface KinesisEndpointUnderTest {
  readonly name: string
  /** Where it is known to part from the service. */
  readonly differences: readonly Difference[]
  start(): Promise<{ readonly endpointUrl: string; stop(): Promise<void> }>
}

/** Registers the tests that every stand-in for Kinesis has to pass, asked by the AWS SDK over HTTP/1.1. */
export function kinesisEndpointSuite(endpoint: KinesisEndpointUnderTest): void {
  const differs: Differs = (difference) => endpoint.differences.includes(difference)
  describe(`${endpoint.name} as a Kinesis endpoint`, () => {
    let running: Awaited<ReturnType<KinesisEndpointUnderTest['start']>>
    let client: EndpointClient
    before(async () => {
      running = await endpoint.start()
      client = new EndpointClient(running.endpointUrl)
    })
    after(async () => {
      client?.close()
      await running?.stop()
    })
    for (const register of [streams, records, iterators, resharding, listing]) register(() => client, differs)
  })
}
