import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Shard } from '../../../src/sources/kinesis/kinesis-port.ts'
import { type ShardPosition, TRIM_HORIZON } from '../../../src/sources/kinesis/position.ts'
import { coverageGap, forgettable, hasChild, planShards } from '../../../src/sources/kinesis/shards.ts'

const LAST = 2n ** 128n - 1n
const HALF = 2n ** 127n

function shard(shardId: string, parents: readonly string[] = [], start = 0n, end = LAST): Shard {
  return { shardId, parents, hashRange: { start, end }, closed: false }
}

function known(...shards: readonly Shard[]): Map<string, Shard> {
  return new Map(shards.map((each) => [each.shardId, each]))
}

function positions(of: Readonly<Record<string, ShardPosition>>): Map<string, ShardPosition> {
  return new Map(Object.entries(of))
}

const after: ShardPosition = { sequenceNumber: '1' }
const left = shard('left', ['parent'], 0n, HALF - 1n)
const right = shard('right', ['parent'], HALF)
const merged = shard('merged', ['left', 'right'])

test('a child waits until its parent is read to the end', () => {
  const plan = planShards(known(shard('parent'), left, right), positions({ parent: after }))
  assert.deepEqual([...plan.readable.keys()], ['parent'])
  assert.deepEqual(plan.starting, [])
  assert.deepEqual(plan.waiting, ['left', 'right'])
})

test('both children start once their parent has ended', () => {
  const plan = planShards(known(shard('parent'), left, right), positions({ parent: 'SHARD_END' }))
  assert.deepEqual(plan.starting, ['left', 'right'])
})

test('the child of a merge waits for both parents', () => {
  const shards = known(left, right, merged)
  assert.deepEqual(planShards(shards, positions({ left: 'SHARD_END', right: after })).starting, [])
  assert.deepEqual(planShards(shards, positions({ left: 'SHARD_END', right: 'SHARD_END' })).starting, [
    'merged',
  ])
})

test('a shard with a position waits for its parents like one without', () => {
  const plan = planShards(
    known(shard('parent'), left, right),
    positions({ parent: after, left: TRIM_HORIZON, right: after }),
  )
  assert.deepEqual([...plan.readable.keys()], ['parent'])
})

test('generations follow one another: grandchildren wait for children that are new themselves', () => {
  const plan = planShards(known(shard('parent'), left, right, merged), positions({ parent: 'SHARD_END' }))
  assert.deepEqual(plan.starting, ['left', 'right'])
  assert.deepEqual(plan.waiting, ['merged'])
})

test('parents that are neither listed nor in the position have expired and hold up nobody', () => {
  assert.deepEqual(planShards(known(left, right), positions({})).starting, ['left', 'right'])
})

test('an unread parent that is no longer listed still holds up its children, so that its loss is noticed', () => {
  const plan = planShards(known(left, right), positions({ parent: after }))
  assert.deepEqual([...plan.readable.keys()], ['parent'])
  assert.deepEqual(plan.waiting, ['left', 'right'])
})

test('a forgotten shard that is listed once more is not taken for a new one', () => {
  const plan = planShards(known(shard('parent'), left, right), positions({ left: after, right: after }))
  assert.deepEqual(plan.starting, [])
  assert.deepEqual([...plan.readable.keys()], ['left', 'right'])
})

test('a shard is forgotten when it is listed no more and its children have positions', () => {
  const ended = positions({ parent: 'SHARD_END', left: after, right: TRIM_HORIZON })
  assert.deepEqual(forgettable(known(left, right), ended), ['parent'])
  assert.deepEqual(forgettable(known(shard('parent'), left, right), ended), [])
  assert.deepEqual(forgettable(known(left, right), positions({ parent: 'SHARD_END' })), [])
})

test('children are found by the parents they name', () => {
  assert.equal(hasChild(known(left, right), 'parent'), true)
  assert.equal(hasChild(known(merged), 'right'), true)
  assert.equal(hasChild(known(left, right), 'left'), false)
})

test('a list covers the hash keys when the shards without children do', () => {
  assert.equal(coverageGap(known(shard('parent'))), undefined)
  assert.equal(coverageGap(known(shard('parent'), left, right)), undefined)
  assert.equal(coverageGap(known(left, right, merged)), undefined)
  assert.equal(coverageGap(known(left, right)), undefined)
})

test('a list that misses a shard of a reshard has a hole', () => {
  assert.match(
    coverageGap(known(shard('parent'), left)) ?? '',
    /no shard for hash keys 170141183460469231731687303715884105728/,
  )
  assert.match(coverageGap(known(shard('parent'), right)) ?? '', /no shard for hash keys 0 to/)
  assert.match(coverageGap(known()) ?? '', /no shard for hash keys 0 to/)
})

test('shards that claim the same keys are an overlap', () => {
  assert.match(coverageGap(known(shard('one'), shard('other'))) ?? '', /overlaps/)
})
