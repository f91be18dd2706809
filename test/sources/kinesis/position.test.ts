import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../../src/batch.ts'
import { hasCode } from '../../../src/errors.ts'
import {
  compareSequence,
  iteratorStart,
  positionFromJson,
  positionToJson,
  type ShardPosition,
  TRIM_HORIZON,
} from '../../../src/sources/kinesis/position.ts'

const shards = new Map<string, ShardPosition>([
  ['b', 'SHARD_END'],
  ['a', TRIM_HORIZON],
  ['e', { from: 'TRIM_HORIZON', seenMs: 5 }],
  ['c', { timestampMs: 1000, seenMs: 2000 }],
  ['d', { sequenceNumber: '4959', subSequenceNumber: 0, arrivedMs: 3, seenMs: 4 }],
  ['f', { sequenceNumber: '4959', inclusive: true }],
])
const position = { stream: 'arn', createdMs: 7, shards, rows: new Map([['d', 12]]) }

test('a position survives JSON', () => {
  const json = JSON.parse(JSON.stringify(positionToJson(position))) as Json
  const back = positionFromJson('kinesis[s]', json)
  assert.deepEqual(new Map([...back.shards].sort()), new Map([...shards].sort()))
  assert.deepEqual(back.rows, position.rows)
  assert.equal(JSON.stringify(positionToJson(back)), JSON.stringify(json))
})

test('the text does not depend on the order in which shards were met', () => {
  const turned = { ...position, shards: new Map([...shards].reverse()) }
  assert.equal(JSON.stringify(positionToJson(turned)), JSON.stringify(positionToJson(position)))
})

test('sequence numbers compare as numbers, whatever their length', () => {
  assert.ok(compareSequence('9', '10') < 0)
  assert.ok(
    compareSequence(
      '49590338271490256608559692538361571095921575989136588898',
      '49590338271490256608559692538361571095921575989136588899',
    ) < 0,
  )
  assert.equal(compareSequence('4959', '4959'), 0)
  assert.ok(compareSequence('100', '99') > 0)
})

test('reading goes on after a whole record, and at a record that was taken in part', () => {
  assert.deepEqual(iteratorStart({ sequenceNumber: '5' }), {
    type: 'AFTER_SEQUENCE_NUMBER',
    sequenceNumber: '5',
  })
  assert.deepEqual(iteratorStart({ sequenceNumber: '5', subSequenceNumber: 2 }), {
    type: 'AT_SEQUENCE_NUMBER',
    sequenceNumber: '5',
  })
  assert.deepEqual(iteratorStart({ sequenceNumber: '5', inclusive: true }), {
    type: 'AT_SEQUENCE_NUMBER',
    sequenceNumber: '5',
  })
  assert.deepEqual(iteratorStart({ timestampMs: 9 }), { type: 'AT_TIMESTAMP', timestampMs: 9 })
  assert.deepEqual(iteratorStart(TRIM_HORIZON), { type: 'TRIM_HORIZON' })
})

test('what is no position of this source is refused, whatever is wrong with it', () => {
  const sound = positionToJson(position) as Record<string, Json>
  const bad: Json[] = [
    null,
    'x',
    [],
    {},
    { ...sound, version: 2 },
    { ...sound, stream: 5 },
    { ...sound, createdMs: -1 },
    { ...sound, shards: [] },
    { ...sound, rows: null },
    { ...sound, shards: { '../x': 'SHARD_END' } },
    { ...sound, shards: { a: 'LATEST' } },
    { ...sound, shards: { a: { sequenceNumber: 5 } } },
    { ...sound, shards: { a: { sequenceNumber: '05' } } },
    { ...sound, shards: { a: { sequenceNumber: '5', subSequenceNumber: -1 } } },
    { ...sound, shards: { a: { timestampMs: 1.5 } } },
    { ...sound, rows: { nobody: 1 } },
    { ...sound, rows: { d: '1' } },
  ]
  for (const json of bad) {
    assert.throws(
      () => positionFromJson('kinesis[s]', json),
      (error) => hasCode(error, 'KINESIS_POSITION_INVALID'),
      JSON.stringify(json),
    )
  }
})
