import { connectKinesis } from '../../aws.ts'
import type { SourceFormat } from '../source.ts'
import { describeSource, KinesisSource } from './kinesis-source.ts'
import { parseKinesisOptions } from './options.ts'
import { KINESIS_SCHEMA } from './record-batches.ts'
import { StreamPort } from './stream-port.ts'
import { SdkTransport } from './transport.ts'

/** `.format('kinesis')` */
export const kinesisFormat: SourceFormat = Object.freeze({
  name: 'kinesis',
  schema: ({ options }) => {
    parseKinesisOptions(options)
    return KINESIS_SCHEMA
  },
  describe: ({ options }) => describeSource(parseKinesisOptions(options)),
  open: ({ options: given, clock, log }) => {
    const options = parseKinesisOptions(given)
    const { aws, stream } = options
    const transport = new SdkTransport(connectKinesis('source kinesis', aws), aws.endpointUrl, clock)
    const id = [
      aws.endpointUrl ?? 'aws',
      aws.region ?? 'region of the environment',
      stream.arn ?? stream.name,
    ].join(' ')
    const port = new StreamPort({ id, transport, stream, clock, timeoutMs: 2 * aws.requestTimeoutMs })
    // Whoever asks with other credentials may not be allowed what the first is.
    const sharedBy = JSON.stringify([id, options.limits.recordsPerRead, { ...aws, maxSockets: 0 }])
    return new KinesisSource({ options, port, sharedBy, clock, log })
  },
} satisfies SourceFormat)
