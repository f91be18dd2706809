import { type AwsOptions, checkEndpoint, parseStreamArn } from '../../aws.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../../options.ts'
import { parseStartingPosition, type StartingPosition } from './starting-position.ts'
import type { StreamRef } from './stream-port.ts'

/** Every option of the source; aliases are the spellings of qubole/roncemer, awslabs and Databricks. */
export const KINESIS_OPTIONS = {
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
  region: {
    kind: 'text',
    doc: 'signing region; else AWS_REGION, else the profile. endpointUrl never decides it',
    aliases: ['regionName', 'kinesis.region', 'kinesis.kinesisRegion'],
  },
  endpointUrl: {
    kind: 'text',
    doc: 'where to send requests, for VPC endpoints and local stand-ins; independent of region',
    aliases: ['kinesis.endpointUrl'],
  },
  startingPosition: {
    kind: 'text',
    doc: 'where a new query starts: latest, trim_horizon, earliest, at_timestamp <ISO-8601 or epoch ms>, or JSON by shard; a checkpoint always wins',
    default: 'latest',
    aliases: ['kinesis.startingPosition', 'initialPosition'],
  },
  failOnDataLoss: {
    kind: 'boolean',
    doc: 'fail when records are lost or may be; false counts the loss in progress and goes on',
    default: 'true',
    aliases: ['kinesis.failOnDataLoss'],
  },
  // ListShards allows far more, and the end of a shard names its children at once: this is only the safety net.
  describeShardInterval: {
    kind: 'duration',
    doc: 'how often to list the shards; the end of a shard triggers a look at once',
    default: '10s',
    aliases: ['kinesis.client.describeShardInterval', 'kinesis.describeShardInterval'],
  },
  maxFetchRecordsPerShard: {
    kind: 'count',
    doc: 'hard cap on the rows of one shard in one batch, also inside an aggregate',
    default: '100000',
    min: 1,
    aliases: ['kinesis.executor.maxFetchRecordsPerShard', 'kinesis.maxFetchRecordsPerShard'],
  },
  maxRecordPerRead: {
    kind: 'count',
    doc: 'records asked for in one GetRecords call',
    default: '10000',
    min: 1,
    max: 10_000,
    aliases: [
      'kinesis.executor.maxRecordPerRead',
      'kinesis.getRecords.numberOfRecordsPerFetch',
      'maxRecordsPerFetch',
    ],
  },
  maxFetchTimeInMs: {
    kind: 'duration',
    doc: 'how long a batch may collect rows after its first; it ends sooner when all shards stand at their tips',
    default: '1s',
    min: 1,
    aliases: ['kinesis.executor.maxFetchTimeInMs', 'maxFetchDuration'],
  },
  maxFetchTimePerShardSec: {
    kind: 'count',
    doc: 'maxFetchTimeInMs in whole seconds, as awslabs spells it',
    min: 1,
    aliases: ['kinesis.maxFetchTimePerShardSec'],
  },
  maxFetchBytes: {
    kind: 'bytes',
    doc: 'cap on the bytes of one batch, over all shards; at least one row is always taken',
    default: '64MiB',
    min: 1024,
  },
  fetchInterval: {
    kind: 'duration',
    doc: 'least time between two reads of a shard, over all queries of the process; a shard allows 5 a second to all its consumers',
    default: '250ms',
    aliases: ['kinesis.getRecords.fetchIntervalMs', 'shardFetchInterval'],
  },
  maxBytesPerSecond: {
    kind: 'bytes',
    doc: 'bytes read from a shard in a second, over all queries of the process; a shard gives 2 MiB',
    default: '2MiB',
    min: 1024,
  },
  addIdleTimeBetweenReads: {
    kind: 'boolean',
    doc: 'space the reads of a shard by idleTimeBetweenReadsInMs, when that is longer than fetchInterval',
    aliases: ['kinesis.executor.addIdleTimeBetweenReads'],
  },
  idleTimeBetweenReadsInMs: {
    kind: 'duration',
    doc: 'see addIdleTimeBetweenReads, which giving this option turns on unless it is false; 1s when only that is given',
    aliases: ['kinesis.executor.idleTimeBetweenReadsInMs'],
  },
  maxParallelReads: {
    kind: 'count',
    doc: 'requests under way at one time, over all shards of the source',
    default: '32',
    min: 1,
    max: 1000,
    aliases: ['kinesis.client.maxParallelThreads', 'kinesis.checkNewRecordThreads'],
  },
  retryInterval: {
    kind: 'duration',
    doc: 'first ceiling of the random wait after a failed request; it doubles with each further failure',
    default: '200ms',
    min: 1,
    aliases: ['kinesis.client.retryIntervalMs', 'kinesis.clientRetryIntervalsMs'],
  },
  maxRetryInterval: {
    kind: 'duration',
    doc: 'highest ceiling of the random wait after a failed request',
    default: '10s',
    min: 1,
    aliases: ['kinesis.client.maxRetryIntervalMs', 'kinesis.clientMaxRetryIntervalMs'],
  },
  maxRetryTime: {
    kind: 'duration',
    doc: 'how long one shard may keep failing before the query fails',
    default: '5m',
  },
  maxRetries: {
    kind: 'count',
    doc: 'failures in a row of one shard before the query fails, if that is sooner than maxRetryTime; no such limit by default',
    min: 1,
    aliases: ['kinesis.client.numRetries', 'kinesis.clientNumRetries'],
  },
  connectTimeout: { kind: 'duration', doc: 'for opening a connection', default: '5s', min: 1 },
  requestTimeout: {
    kind: 'duration',
    doc: 'for an answer to begin, and for any silence within it',
    default: '30s',
    min: 1,
  },
  awsAccessKeyId: {
    kind: 'text',
    doc: 'static credentials; needs awsSecretKey',
    aliases: ['kinesis.awsAccessKeyId', 'awsAccessKey'],
  },
  awsSecretKey: {
    kind: 'secret',
    doc: 'static credentials; needs awsAccessKeyId',
    aliases: ['kinesis.awsSecretKey', 'awsSecretAccessKey'],
  },
  sessionToken: {
    kind: 'secret',
    doc: 'of temporary static credentials',
    aliases: ['kinesis.sessionToken', 'awsSessionToken'],
  },
  awsProfile: { kind: 'text', doc: 'profile of the shared AWS files; else AWS_PROFILE' },
  awsUseInstanceProfile: {
    kind: 'boolean',
    doc: 'true asks the instance metadata alone; else the default chain, which ends there',
  },
  roleArn: {
    kind: 'text',
    doc: 'role to assume with the credentials above, renewed before they expire',
    aliases: ['awsSTSRoleARN', 'kinesis.stsRoleArn'],
  },
  roleSessionName: {
    kind: 'text',
    doc: "session name of the assumed role; 'sluice' by default",
    aliases: ['awsSTSSessionName', 'kinesis.stsSessionName'],
  },
  roleExternalId: { kind: 'text', doc: 'external id that the role asks for' },
  webIdentityTokenFile: { kind: 'text', doc: 'file with the token to exchange for roleArn' },
  stsEndpointUrl: { kind: 'text', doc: 'private endpoint of STS', aliases: ['kinesis.stsEndpointUrl'] },
  accountIdEndpointMode: {
    kind: 'text',
    doc: 'disabled keeps to kinesis.<region>, the host that allow-lists and private DNS know',
    default: 'disabled',
    oneOf: ['disabled', 'preferred', 'required'],
  },
  consumerType: {
    kind: 'text',
    doc: 'shards are polled; enhanced fan-out is not supported',
    default: 'GetRecords',
    oneOf: ['GetRecords', 'polling'],
    aliases: ['kinesis.consumerType', 'consumerMode'],
  },
  avoidEmptyBatches: {
    kind: 'text',
    doc: 'a batch without rows is never made',
    default: 'true',
    oneOf: ['true'],
    aliases: ['kinesis.client.avoidEmptyBatches', 'kinesis.internal.avoidEmptyBatches'],
  },
} as const satisfies OptionTable

/** The limits that stand in for backpressure. */
export interface ReadLimits {
  readonly rowsPerShard: number
  readonly recordsPerRead: number
  readonly fetchTimeMs: number
  readonly bytes: number
  readonly parallelReads: number
}

export interface RetryLimits {
  readonly firstMs: number
  readonly ceilingMs: number
  readonly giveUpMs: number
  readonly attempts: number
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
    aws: awsOf(options, stream),
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

function awsOf(options: Parsed, stream: StreamRef): AwsOptions {
  needs(options, 'awsAccessKeyId', 'awsSecretKey')
  needs(options, 'awsSecretKey', 'awsAccessKeyId')
  needs(options, 'sessionToken', 'awsSecretKey')
  needs(options, 'roleSessionName', 'roleArn')
  needs(options, 'roleExternalId', 'roleArn')
  needs(options, 'webIdentityTokenFile', 'roleArn')
  needs(options, 'stsEndpointUrl', 'roleArn')
  excludes(options, 'webIdentityTokenFile', 'awsAccessKeyId')
  excludes(options, 'webIdentityTokenFile', 'roleExternalId')
  excludes(options, 'awsProfile', 'awsAccessKeyId')
  if (options.awsUseInstanceProfile) {
    for (const other of ['awsAccessKeyId', 'awsProfile', 'webIdentityTokenFile'] as const) {
      excludes(options, 'awsUseInstanceProfile', other)
    }
  }
  if (options.endpointUrl !== undefined) checkEndpoint(OWNER, 'endpointUrl', options.endpointUrl)
  if (options.stsEndpointUrl !== undefined) checkEndpoint(OWNER, 'stsEndpointUrl', options.stsEndpointUrl)
  return {
    region: regionOf(options, stream),
    endpointUrl: options.endpointUrl,
    profile: options.awsProfile,
    accessKeyId: options.awsAccessKeyId,
    secretAccessKey: options.awsSecretKey,
    sessionToken: options.sessionToken,
    roleArn: options.roleArn,
    roleSessionName: options.roleSessionName,
    roleExternalId: options.roleExternalId,
    stsEndpointUrl: options.stsEndpointUrl,
    webIdentityTokenFile: options.webIdentityTokenFile,
    instanceProfile: options.awsUseInstanceProfile,
    accountIdEndpointMode: options.accountIdEndpointMode as AwsOptions['accountIdEndpointMode'],
    connectTimeoutMs: options.connectTimeout,
    requestTimeoutMs: options.requestTimeout,
    maxSockets: options.maxParallelReads + 2,
  }
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

function needs(options: Parsed, given: keyof Parsed, missing: keyof Parsed): void {
  if (options[given] === undefined || options[missing] !== undefined) return
  throw new SluiceError('OPTION_MISSING', {
    owner: OWNER,
    option: missing,
    doc: `${KINESIS_OPTIONS[missing].doc}; ${given} is given`,
  })
}

function excludes(options: Parsed, one: keyof Parsed, other: keyof Parsed): void {
  if (options[one] === undefined || options[other] === undefined) return
  const spec: { readonly kind: string } = KINESIS_OPTIONS[one]
  refuse(one, spec.kind === 'secret' ? '***' : String(options[one]), `${one} or ${other}, not both`)
}

function refuse(option: string, value: string | number, expected: string): never {
  throw new SluiceError('OPTION_INVALID', {
    owner: OWNER,
    option,
    value: String(value).slice(0, 128),
    expected,
  })
}
