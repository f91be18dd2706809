import { type AwsOptions, parseStreamArn } from '../../aws.ts'
import { awsOptions } from '../../aws-options.ts'
import type { RetryLimits } from '../../backoff.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionsOf, parseOptions } from '../../options.ts'
import { KINESIS_OPTIONS } from './option-table.ts'
import { parseStartingPosition, type StartingPosition } from './starting-position.ts'
import type { StreamRef } from './stream-port.ts'

/** The limits that stand in for backpressure. */
export interface ReadLimits {
  readonly rowsPerShard: number
  readonly recordsPerRead: number
  readonly fetchTimeMs: number
  readonly bytes: number
  readonly parallelReads: number
}

export interface ShardRate {
  /** Least time between two reads of a shard. */
  readonly intervalMs: number
  readonly bytesPerSecond: number
}

export interface KinesisOptions {
  readonly stream: StreamRef
  readonly start: StartingPosition
  readonly failOnDataLoss: boolean
  readonly describeShardIntervalMs: number
  readonly limits: ReadLimits
  readonly rate: ShardRate
  readonly retry: RetryLimits
  readonly aws: AwsOptions
}

const OWNER = 'source kinesis'
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/

type Parsed = OptionsOf<typeof KINESIS_OPTIONS>

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, OPTION_TWICE, AWS_ARN_INVALID, AWS_REGION_CONFLICT */
export function parseKinesisOptions(given: GivenOptions): KinesisOptions {
  const options = parseOptions(OWNER, KINESIS_OPTIONS, given)
  const stream = streamOf(options)
  if (options.retryInterval > options.maxRetryInterval) {
    refuse(
      'retryInterval',
      options.retryInterval,
      `at most maxRetryInterval (${options.maxRetryInterval} ms)`,
    )
  }
  return Object.freeze({
    stream,
    start: parseStartingPosition(OWNER, options.startingPosition),
    failOnDataLoss: options.failOnDataLoss,
    describeShardIntervalMs: options.describeShardInterval,
    limits: {
      rowsPerShard: options.maxFetchRecordsPerShard,
      recordsPerRead: options.maxRecordPerRead,
      fetchTimeMs: fetchTimeOf(options, given),
      bytes: options.maxFetchBytes,
      parallelReads: options.maxParallelReads,
    },
    rate: { intervalMs: intervalOf(options), bytesPerSecond: options.maxBytesPerSecond },
    retry: {
      firstMs: options.retryInterval,
      ceilingMs: options.maxRetryInterval,
      giveUpMs: options.maxRetryTime,
      attempts: options.maxRetries ?? Number.POSITIVE_INFINITY,
    },
    aws: {
      ...awsOptions(OWNER, options, regionOf(options, stream)),
      maxSockets: options.maxParallelReads + 2,
    },
  })
}

function streamOf(options: Parsed): StreamRef {
  const arn = options.streamArn === undefined ? undefined : parseStreamArn(options.streamArn)
  const name = options.streamName ?? arn?.name
  if (name === undefined || name === '') {
    throw new SluiceError('OPTION_MISSING', {
      owner: OWNER,
      option: 'streamName',
      doc: KINESIS_OPTIONS.streamName.doc,
    })
  }
  if (!STREAM_NAME.test(name))
    refuse('streamName', name, '1 to 128 letters, digits, dots, hyphens and underscores')
  if (arn && arn.name !== name)
    refuse('streamName', name, `the name in streamArn (${arn.name}), or one of the two`)
  return { name, arn: arn?.arn }
}

/** A stream lies in the region of its ARN and nowhere else; asking another one would say that it does not exist. */
function regionOf(options: Parsed, stream: StreamRef): string | undefined {
  if (stream.arn === undefined) return options.region
  const { region: arnRegion } = parseStreamArn(stream.arn)
  if (options.region !== undefined && options.region !== arnRegion) {
    throw new SluiceError('AWS_REGION_CONFLICT', { arn: stream.arn, arnRegion, region: options.region })
  }
  return arnRegion
}

function fetchTimeOf(options: Parsed, given: GivenOptions): number {
  if (options.maxFetchTimePerShardSec === undefined) return options.maxFetchTimeInMs
  const { aliases } = KINESIS_OPTIONS.maxFetchTimeInMs
  const names = new Set(['maxFetchTimeInMs', ...aliases].map((name) => name.toLowerCase()))
  if ([...given.keys()].some((name) => names.has(name.toLowerCase()))) {
    refuse(
      'maxFetchTimePerShardSec',
      options.maxFetchTimePerShardSec,
      'this option or maxFetchTimeInMs, not both',
    )
  }
  return options.maxFetchTimePerShardSec * 1000
}

function intervalOf(options: Parsed): number {
  const idle = options.addIdleTimeBetweenReads ?? options.idleTimeBetweenReadsInMs !== undefined
  return idle
    ? Math.max(options.fetchInterval, options.idleTimeBetweenReadsInMs ?? 1000)
    : options.fetchInterval
}

function refuse(option: string, value: string | number, expected: string): never {
  throw new SluiceError('OPTION_INVALID', {
    owner: OWNER,
    option,
    value: String(value).slice(0, 128),
    expected,
  })
}
