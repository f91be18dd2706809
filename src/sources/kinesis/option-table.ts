import { AWS_OPTIONS } from '../../aws-options.ts'
import type { OptionTable } from '../../options.ts'

const { region, endpointUrl, ...otherAwsOptions } = AWS_OPTIONS

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
  region,
  endpointUrl,
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
    doc: 'cap on the memory of one batch, over all shards; the next is read while one is worked on; at least one row is always taken',
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
  ...otherAwsOptions,
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
