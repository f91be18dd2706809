import type { StreamDescription } from '@aws-sdk/client-kinesis'
import type { InputOf, Nothing, OutputOf } from './operations.ts'
import type { KinesisService } from './service.ts'
import { refuse } from './service-error.ts'
import type { Stream } from './stream.ts'
import { matching, NAME, required, within } from './validation.ts'

const MOST_SHARDS = 10_000

export function createStream(service: KinesisService, input: InputOf<'CreateStream'>): Nothing {
  const name = required(input.StreamName, 'streamName')
  matching(name, 'streamName', NAME, 128)
  within(input.ShardCount, 'shardCount', 1, MOST_SHARDS)
  within(input.MaxRecordSizeInKiB, 'maxRecordSizeInKiB', 1024, 10_240)
  const mode = input.StreamModeDetails?.StreamMode ?? 'PROVISIONED'
  if (mode === 'PROVISIONED') required(input.ShardCount, 'shardCount')
  service.create(name, {
    // An on-demand stream starts with four shards.
    shards: input.ShardCount ?? 4,
    mode,
    maxRecordSizeInKiB: input.MaxRecordSizeInKiB,
    distribution: input.RecordDistributionStrategy,
  })
  return {}
}

export function deleteStream(service: KinesisService, input: InputOf<'DeleteStream'>): Nothing {
  service.remove(service.stream(input))
  return {}
}

export function describeStream(
  service: KinesisService,
  input: InputOf<'DescribeStream'>,
): OutputOf<'DescribeStream'> {
  within(input.Limit, 'limit', 1, 10_000)
  const stream = service.stream(input)
  const creating = stream.statusAt(service.now()) === 'CREATING'
  stream.trim(service.now())
  const after = input.ExclusiveStartShardId ?? ''
  const shards = creating ? [] : stream.shards.filter((shard) => shard.id > after)
  const page = shards.slice(0, Math.min(input.Limit ?? 100, 1000))
  return {
    StreamDescription: {
      ...describe(service, stream),
      Shards: page.map((shard) => shard.describe()),
      HasMoreShards: page.length < shards.length,
    },
  }
}

export function describeStreamSummary(
  service: KinesisService,
  input: InputOf<'DescribeStreamSummary'>,
): OutputOf<'DescribeStreamSummary'> {
  const stream = service.stream(input)
  return {
    StreamDescriptionSummary: {
      ...describe(service, stream),
      OpenShardCount: stream.statusAt(service.now()) === 'CREATING' ? 0 : stream.openShards.length,
      MaxRecordSizeInKiB: stream.maxRecordSizeInKiB,
      ...(stream.distribution === undefined ? {} : { RecordDistributionStrategy: stream.distribution }),
    },
  }
}

export function listStreams(service: KinesisService, input: InputOf<'ListStreams'>): OutputOf<'ListStreams'> {
  within(input.Limit, 'limit', 1, 10_000)
  const after = input.NextToken ?? input.ExclusiveStartStreamName ?? ''
  const streams = service.streams.filter((stream) => stream.name > after)
  const page = streams.slice(0, Math.min(input.Limit ?? 100, 100))
  const more = page.length < streams.length
  return {
    StreamNames: page.map((stream) => stream.name),
    HasMoreStreams: more,
    ...(more ? { NextToken: page.at(-1)?.name } : {}),
    StreamSummaries: page.map((stream) => ({
      StreamName: stream.name,
      StreamARN: stream.arn,
      StreamStatus: stream.statusAt(service.now()),
      StreamModeDetails: { StreamMode: stream.mode },
      StreamCreationTimestamp: new Date(stream.createdMs),
    })),
  }
}

export function changeRetention(
  service: KinesisService,
  input: InputOf<'IncreaseStreamRetentionPeriod' | 'DecreaseStreamRetentionPeriod'>,
  direction: 'increase' | 'decrease',
): Nothing {
  const hours = required(input.RetentionPeriodHours, 'retentionPeriodHours')
  const stream = service.activeStream(input)
  const wrongWay = direction === 'increase' ? hours < stream.retentionHours : hours > stream.retentionHours
  if (hours < 24 || hours > 8760 || wrongWay) {
    refuse(
      'InvalidArgumentException',
      `Requested retention period (${hours} hours) for stream ${stream.name} can not be ` +
        `${direction === 'increase' ? 'shorter' : 'longer'} than existing retention period ` +
        `(${stream.retentionHours} hours), less than 24 hours or more than 8760 hours.`,
    )
  }
  stream.retentionHours = hours
  return {}
}

function describe(
  service: KinesisService,
  stream: Stream,
): Omit<StreamDescription, 'Shards' | 'HasMoreShards'> {
  return {
    StreamName: stream.name,
    StreamARN: stream.arn,
    StreamStatus: stream.statusAt(service.now()),
    StreamModeDetails: { StreamMode: stream.mode },
    RetentionPeriodHours: stream.retentionHours,
    StreamCreationTimestamp: new Date(stream.createdMs),
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    ...(stream.kmsKeyId === undefined
      ? { EncryptionType: 'NONE' }
      : { EncryptionType: 'KMS', KeyId: stream.kmsKeyId }),
  }
}
