import { type AwsOptions, parseStreamArn } from '../../aws.ts'
import { AWS_OPTIONS, awsOptions } from '../../aws-options.ts'
import type { RetryLimits } from '../../backoff.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../../options.ts'
import { retryLimits } from '../retry-options.ts'

const { region, endpointUrl, ...otherAwsOptions } = AWS_OPTIONS

/** Every option of the sink; aliases are the spellings of qubole/roncemer and awslabs. */
export const KINESIS_SINK_OPTIONS = {
  streamName: {
    kind: 'text',
    doc: 'name of the stream; this or streamArn is needed',
    aliases: ['kinesis.streamName'],
  },
  streamArn: {
    kind: 'text',
    doc: 'ARN of the stream, needed for a stream of another account; its region is the signing region',
    aliases: ['kinesis.streamArn'],
  },
  region,
  endpointUrl,
  provenance: {
    kind: 'text',
    doc: 'how records say which row of which batch they are, so that readers can drop repeats',
    default: 'none',
    oneOf: ['none', 'field', 'envelope'],
  },
  refusedRows: {
    kind: 'text',
    doc: 'what a row does that is no record, as one with a NULL: fail the batch, be left out with a warning, or go to the dead letters of the query',
    default: 'fail',
    oneOf: ['fail', 'drop', 'deadLetter'],
  },
  maxRecordBytes: {
    kind: 'bytes',
    doc: 'of data and key of a record; a larger row is no record. The limit of the stream, which can be raised to 10MiB (MaxRecordSizeInKiB)',
    default: '1MiB',
    min: 1024,
    max: 10 * 1024 * 1024,
  },
  maxRecordsPerRequest: { kind: 'count', doc: 'of PutRecords', default: '500', min: 1, max: 500 },
  maxRequestBytes: {
    kind: 'bytes',
    doc: 'of PutRecords, data and keys; the service takes 10MiB',
    default: '5MiB',
    min: 1,
    max: 10 * 1024 * 1024,
  },
  maxParallelRequests: {
    kind: 'count',
    doc: 'requests under way at one time; with 1, records keep their order but for those that were refused at first',
    default: '1',
    min: 1,
    max: 100,
    aliases: ['kinesis.sink.maxConnections', 'kinesis.executor.maxConnections'],
  },
  paceShards: {
    kind: 'boolean',
    doc: 'hold records back before a shard would refuse them (1 MB or 1,000 records a second); asks for the list of shards, and keeps requests below 1 MB',
    default: 'false',
  },
  retryInterval: {
    kind: 'duration',
    doc: 'first ceiling of the random wait after a refusal; it doubles with each further one',
    default: '100ms',
    min: 1,
  },
  maxRetryInterval: {
    kind: 'duration',
    doc: 'highest ceiling of the random wait after a refusal',
    default: '5s',
    min: 1,
  },
  maxRetryTime: {
    kind: 'duration',
    doc: 'for how long no record of a request may get through before the batch fails',
    default: '1m',
    aliases: ['kinesis.sink.recordTtl'],
  },
  aggregationEnabled: {
    kind: 'boolean',
    doc: 'pack rows into larger records as the Kinesis Producer Library does, which the KCL and the kinesis source take apart; asks for the list of shards',
    default: 'false',
    aliases: ['kinesis.sink.aggregationEnabled', 'kinesis.executor.aggregationEnabled'],
  },
  maxAggregateBytes: {
    kind: 'bytes',
    doc: 'of a record that holds several; a larger row is a record by itself',
    default: '50KiB',
    min: 1024,
    max: 1024 * 1024,
  },
  recordMaxBufferedTime: {
    kind: 'duration',
    doc: 'of the KPL: how long a record may wait for its request to fill; here none waits, so any time is kept to',
    aliases: ['kinesis.sink.recordMaxBufferedTimeMs', 'kinesis.executor.recordMaxBufferedTime'],
  },
  flushWaitTime: {
    kind: 'duration',
    doc: 'of the KPL: a pause before the last records are sent; here there is nothing to wait for',
    aliases: ['kinesis.sink.flushWaitTimeMs', 'kniesis.executor.flushwaittimemillis'],
  },
  ...otherAwsOptions,
} as const satisfies OptionTable

export type Provenance = 'none' | 'field' | 'envelope'

export interface StreamTarget {
  readonly name: string
  readonly arn: string | undefined
}

export interface RequestLimits {
  readonly records: number
  readonly bytes: number
  /** At one time. */
  readonly parallel: number
}

export interface KinesisSinkOptions {
  readonly stream: StreamTarget
  readonly provenance: Provenance
  readonly refusedRows: 'fail' | 'drop' | 'deadLetter'
  readonly recordBytes: number
  readonly limits: RequestLimits
  readonly paceShards: boolean
  /** Absent: every row is a record. */
  readonly aggregateBytes: number | undefined
  readonly retry: RetryLimits
  readonly aws: AwsOptions
}

export const OWNER = 'sink kinesis'
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/

type Parsed = OptionsOf<typeof KINESIS_SINK_OPTIONS>

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, OPTION_TWICE, AWS_ARN_INVALID, AWS_REGION_CONFLICT */
export function parseKinesisSinkOptions(given: GivenOptions): KinesisSinkOptions {
  const options = parseOptions(OWNER, KINESIS_SINK_OPTIONS, given)
  const stream = streamOf(options)
  return Object.freeze({
    stream,
    provenance: options.provenance as Provenance,
    refusedRows: options.refusedRows as KinesisSinkOptions['refusedRows'],
    recordBytes: options.maxRecordBytes,
    limits: {
      records: options.maxRecordsPerRequest,
      bytes: options.maxRequestBytes,
      parallel: options.maxParallelRequests,
    },
    paceShards: options.paceShards,
    aggregateBytes: options.aggregationEnabled ? options.maxAggregateBytes : undefined,
    retry: retryLimits(options),
    aws: {
      ...awsOptions(OWNER, options, regionOf(options, stream)),
      maxSockets: options.maxParallelRequests + 1,
    },
  })
}

function streamOf(options: Parsed): StreamTarget {
  const arn = options.streamArn === undefined ? undefined : parseStreamArn(options.streamArn)
  const name = options.streamName ?? arn?.name
  if (!name) {
    const { doc } = KINESIS_SINK_OPTIONS.streamName
    throw new SluiceError('OPTION_MISSING', { owner: OWNER, option: 'streamName', doc })
  }
  if (!STREAM_NAME.test(name)) {
    refuseName(name, '1 to 128 letters, digits, dots, hyphens and underscores')
  }
  if (arn && arn.name !== name) refuseName(name, `the name in streamArn (${arn.name}), or one of the two`)
  return { name, arn: arn?.arn }
}

/** A stream lies in the region of its ARN and nowhere else; asking another one would say that it does not exist. */
function regionOf({ region }: Parsed, { arn }: StreamTarget): string | undefined {
  if (arn === undefined) return region
  const { region: arnRegion } = parseStreamArn(arn)
  if (region === undefined || region === arnRegion) return arnRegion
  throw new SluiceError('AWS_REGION_CONFLICT', { arn, arnRegion, region })
}

function refuseName(value: string, expected: string): never {
  throw new SluiceError('OPTION_INVALID', {
    owner: OWNER,
    option: 'streamName',
    value: value.slice(0, 128),
    expected,
  })
}
