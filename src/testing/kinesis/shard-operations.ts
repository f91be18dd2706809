import type { ShardFilter } from '@aws-sdk/client-kinesis'
import { openToken, sealToken } from './iterator-token.ts'
import type { InputOf, Nothing, OutputOf } from './operations.ts'
import type { KinesisService } from './service.ts'
import { refuse } from './service-error.ts'
import type { Shard } from './shard.ts'
import type { Stream } from './stream.ts'
import { HASH_KEY, matching, NAME, required, within } from './validation.ts'

const TOKEN_LIFE_MS = 300_000
const PAGE = 1000

interface Page {
  readonly stream: string
  readonly createdMs: number
  readonly after: string
  readonly filter?: { readonly Type: ShardFilter['Type']; readonly ms?: number; readonly ShardId?: string }
  readonly issuedMs: number
}

export function listShards(service: KinesisService, input: InputOf<'ListShards'>): OutputOf<'ListShards'> {
  within(input.MaxResults, 'maxResults', 1, 10_000)
  matching(input.ExclusiveStartShardId, 'exclusiveStartShardId', NAME, 128)
  const page =
    input.NextToken === undefined ? firstPage(service, input) : nextPage(service, input, input.NextToken)
  const stream = service.activeStream({ StreamName: page.stream })
  if (stream.createdMs !== page.createdMs) {
    refuse('ResourceNotFoundException', `Stream ${page.stream} was created again since the listing began.`)
  }
  stream.trim(service.now())
  const matched = filtered(service, stream, page.filter).filter((shard) => shard.id > page.after)
  const shown = matched.slice(0, Math.min(input.MaxResults ?? PAGE, PAGE))
  const last = shown.at(-1)
  const more = last !== undefined && shown.length < matched.length
  return {
    Shards: shown.map((shard) => shard.describe()),
    ...(more
      ? { NextToken: sealToken({ ...page, after: last.id, issuedMs: service.now() } satisfies Page) }
      : {}),
  }
}

export function splitShard(service: KinesisService, input: InputOf<'SplitShard'>): Nothing {
  const shardId = required(input.ShardToSplit, 'shardToSplit')
  const start = required(input.NewStartingHashKey, 'newStartingHashKey')
  matching(start, 'newStartingHashKey', HASH_KEY, 39)
  service.activeStream(input).split(shardId, BigInt(start), service.now())
  return {}
}

export function mergeShards(service: KinesisService, input: InputOf<'MergeShards'>): Nothing {
  const shardId = required(input.ShardToMerge, 'shardToMerge')
  const adjacentId = required(input.AdjacentShardToMerge, 'adjacentShardToMerge')
  service.activeStream(input).merge(shardId, adjacentId, service.now())
  return {}
}

export function updateShardCount(
  service: KinesisService,
  input: InputOf<'UpdateShardCount'>,
): OutputOf<'UpdateShardCount'> {
  const target = required(input.TargetShardCount, 'targetShardCount')
  within(target, 'targetShardCount', 1, 10_000)
  required(input.ScalingType, 'scalingType')
  const stream = service.activeStream(input)
  if (stream.mode === 'ON_DEMAND') {
    refuse('ValidationException', `UpdateShardCount is not supported for on-demand stream ${stream.name}.`)
  }
  const current = stream.openShards.length
  if (target > current * 2 || target < current / 2) {
    refuse(
      'InvalidArgumentException',
      `UpdateShardCount can neither more than double nor less than halve the open shard count of stream ` +
        `${stream.name}. Current open shard count: ${current}. Target shard count: ${target}.`,
    )
  }
  stream.scale(target, service.now())
  return {
    StreamName: stream.name,
    CurrentShardCount: current,
    TargetShardCount: target,
    StreamARN: stream.arn,
  }
}

function firstPage(service: KinesisService, input: InputOf<'ListShards'>): Page {
  if (input.StreamName === undefined && input.StreamARN === undefined) {
    refuse('InvalidArgumentException', 'Either NextToken or StreamName should be provided.')
  }
  const stream = service.activeStream(input)
  const created = input.StreamCreationTimestamp
  if (created !== undefined && Math.floor(created.getTime() / 1000) !== Math.floor(stream.createdMs / 1000)) {
    refuse('ResourceNotFoundException', `Stream ${stream.name} with that creation timestamp not found.`)
  }
  return {
    stream: stream.name,
    createdMs: stream.createdMs,
    after: input.ExclusiveStartShardId ?? '',
    ...(input.ShardFilter ? { filter: readFilter(input.ShardFilter) } : {}),
    issuedMs: service.now(),
  }
}

function nextPage(service: KinesisService, input: InputOf<'ListShards'>, token: string): Page {
  if (input.StreamName !== undefined) {
    refuse('InvalidArgumentException', 'NextToken and StreamName cannot be provided together.')
  }
  if (input.ExclusiveStartShardId !== undefined || input.StreamCreationTimestamp !== undefined) {
    refuse(
      'InvalidArgumentException',
      'NextToken cannot be provided with ExclusiveStartShardId or StreamCreationTimestamp.',
    )
  }
  const page = openToken(token) as Page | undefined
  if (page?.stream === undefined) return refuse('InvalidArgumentException', 'NextToken is not valid.')
  if (service.now() - page.issuedMs > TOKEN_LIFE_MS) {
    refuse('ExpiredNextTokenException', 'NextToken has expired; it is valid for 300 seconds.')
  }
  return page
}

function readFilter(filter: ShardFilter): NonNullable<Page['filter']> {
  const type = required(filter.Type, 'shardFilter.type')
  if (type === 'AFTER_SHARD_ID')
    return { Type: type, ShardId: required(filter.ShardId, 'shardFilter.shardId') }
  if (type === 'AT_TIMESTAMP' || type === 'FROM_TIMESTAMP') {
    return { Type: type, ms: required(filter.Timestamp, 'shardFilter.timestamp').getTime() }
  }
  return { Type: type }
}

function filtered(service: KinesisService, stream: Stream, filter: Page['filter']): readonly Shard[] {
  const horizon = Math.max(service.now() - stream.retentionMs(), stream.createdMs)
  const openAt = (ms: number) => (shard: Shard) =>
    shard.createdMs <= ms && (shard.closedMs === undefined || shard.closedMs > ms)
  const openSince = (ms: number) => (shard: Shard) => shard.closedMs === undefined || shard.closedMs >= ms
  const clamped = Math.max(filter?.ms ?? 0, horizon)
  switch (filter?.Type) {
    case 'AFTER_SHARD_ID':
      return stream.shards.filter((shard) => shard.id > (filter.ShardId ?? ''))
    case 'AT_LATEST':
      return stream.shards.filter((shard) => shard.open)
    case 'AT_TRIM_HORIZON':
      return stream.shards.filter(openAt(horizon))
    case 'AT_TIMESTAMP':
      return stream.shards.filter(openAt(clamped))
    case 'FROM_TIMESTAMP':
      return stream.shards.filter(openSince(clamped))
    default:
      return stream.shards
  }
}
