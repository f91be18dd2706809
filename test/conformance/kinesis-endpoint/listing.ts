import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ListShardsCommand, type ListShardsInput } from '@aws-sdk/client-kinesis'
import { type Ask, refused } from './client.ts'
import type { Differs } from './differences.ts'

export function listing(kinesis: Ask, differs: Differs): void {
  it('lists shards page by page', async () => {
    const stream = await kinesis().stream(5)
    const { client } = kinesis()
    const first = await client.send(new ListShardsCommand({ StreamName: stream, MaxResults: 2 }))
    if (differs('no-paging')) return assert.equal(first.Shards?.length, 5)
    const ids = first.Shards?.map((shard) => shard.ShardId) ?? []
    assert.equal(ids.length, 2)
    for (let token = first.NextToken; token !== undefined; ) {
      const page = await client.send(new ListShardsCommand({ NextToken: token, MaxResults: 2 }))
      ids.push(...(page.Shards ?? []).map((shard) => shard.ShardId))
      token = page.NextToken
    }
    assert.deepEqual(
      ids,
      [0, 1, 2, 3, 4].map((i) => `shardId-00000000000${i}`),
    )
    await refused(
      client.send(new ListShardsCommand({ StreamName: stream, NextToken: first.NextToken })),
      'InvalidArgumentException',
    )
  })

  it('lists what comes after a shard, and what a filter lets through', async () => {
    const stream = await kinesis().stream(2)
    await kinesis().split(stream, 'shardId-000000000000', 1000n)
    const ids = async (asked: Omit<ListShardsInput, 'StreamName'>): Promise<number[]> =>
      (await kinesis().shards(stream, asked)).map((shard) => Number(shard.ShardId?.slice(-3)))
    assert.deepEqual(await ids({}), [0, 1, 2, 3])
    assert.deepEqual(await ids({ ExclusiveStartShardId: 'shardId-000000000001' }), [2, 3])
    const latest = await ids({ ShardFilter: { Type: 'AT_LATEST' } })
    assert.deepEqual(latest, differs('no-shard-filter') ? [0, 1, 2, 3] : [1, 2, 3])
    const later = await ids({ ShardFilter: { Type: 'AFTER_SHARD_ID', ShardId: 'shardId-000000000000' } })
    assert.deepEqual(later, differs('no-shard-filter') ? [0, 1, 2, 3] : [1, 2, 3])
  })
}
