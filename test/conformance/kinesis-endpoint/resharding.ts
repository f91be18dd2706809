import assert from 'node:assert/strict'
import { it } from 'node:test'
import { MergeShardsCommand, SplitShardCommand, UpdateShardCountCommand } from '@aws-sdk/client-kinesis'
import { type Ask, HASH_KEYS, range, refused, text } from './client.ts'
import type { Differs } from './differences.ts'

export function resharding(kinesis: Ask, differs: Differs): void {
  it('splits a shard: the parent stays readable to its end, and names its children there', async () => {
    const stream = await kinesis().stream(1)
    await kinesis().put(stream, ['1', '2'])
    await kinesis().split(stream, 'shardId-000000000000', HASH_KEYS / 2n)
    await kinesis().put(stream, ['3'])
    const [parent, left, right] = await kinesis().shards(stream)
    assert.ok(parent?.SequenceNumberRange?.EndingSequenceNumber)
    assert.deepEqual([left?.ParentShardId, right?.ParentShardId], [parent?.ShardId, parent?.ShardId])
    assert.deepEqual(range(left), [0n, HASH_KEYS / 2n - 1n])
    assert.deepEqual(range(right), [HASH_KEYS / 2n, HASH_KEYS - 1n])
    const answers = await kinesis().readToEnd(stream, 'shardId-000000000000')
    assert.deepEqual(answers.flatMap((answer) => answer.Records ?? []).map(text), ['1', '2'])
    assert.equal(answers.length, differs('late-shard-end') ? 2 : 1)
    const children = answers.at(-1)?.ChildShards
    if (differs('no-child-shards')) return assert.equal(children, undefined)
    assert.deepEqual(
      children?.map((child) => [child.ShardId, child.ParentShards]),
      [left, right].map((child) => [child?.ShardId, ['shardId-000000000000']]),
    )
  })

  it('merges two neighbours into a shard with both as parents', async () => {
    const stream = await kinesis().stream(2)
    await kinesis().client.send(
      new MergeShardsCommand({
        StreamName: stream,
        ShardToMerge: 'shardId-000000000000',
        AdjacentShardToMerge: 'shardId-000000000001',
      }),
    )
    await kinesis().active(stream)
    const [, , merged] = await kinesis().shards(stream)
    assert.equal(merged?.ParentShardId, 'shardId-000000000000')
    assert.equal(merged?.AdjacentParentShardId, 'shardId-000000000001')
    assert.deepEqual(range(merged), [0n, HASH_KEYS - 1n])
  })

  it('refuses to merge shards that are not neighbours, and to split at a border', async () => {
    const stream = await kinesis().stream(3)
    const ids = { ShardToMerge: 'shardId-000000000000', AdjacentShardToMerge: 'shardId-000000000002' }
    await refused(
      kinesis().client.send(new MergeShardsCommand({ StreamName: stream, ...ids })),
      'InvalidArgumentException',
    )
    const split = kinesis().client.send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: 'shardId-000000000000',
        NewStartingHashKey: '0',
      }),
    )
    if (differs('splits-at-borders-pass')) await split
    else await refused(split, 'InvalidArgumentException')
  })

  it('scales to another number of shards', async () => {
    const stream = await kinesis().stream(2)
    const asked = kinesis().client.send(
      new UpdateShardCountCommand({
        StreamName: stream,
        TargetShardCount: 4,
        ScalingType: 'UNIFORM_SCALING',
      }),
    )
    if (differs('no-scaling')) return await refused(asked, 'UnknownOperationException')
    const { CurrentShardCount, TargetShardCount } = await asked
    assert.deepEqual([CurrentShardCount, TargetShardCount], [2, 4])
    await kinesis().active(stream)
    const open = (await kinesis().shards(stream)).filter(
      (shard) => !shard.SequenceNumberRange?.EndingSequenceNumber,
    )
    const ranges = open.map(range).toSorted((a, b) => (a[0] < b[0] ? -1 : 1))
    assert.equal(ranges.length, 4)
    assert.equal(ranges[0]?.[0], 0n)
    assert.equal(ranges.at(-1)?.[1], HASH_KEYS - 1n)
    for (const [i, [, end]] of ranges.slice(0, -1).entries()) assert.equal(ranges[i + 1]?.[0], end + 1n)
  })
}
