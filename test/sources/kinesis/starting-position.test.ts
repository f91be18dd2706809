import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/errors.ts'
import { firstPosition } from '../../../src/sources/kinesis/first-position.ts'
import type { Shard, StreamSummary } from '../../../src/sources/kinesis/kinesis-port.ts'
import { TRIM_HORIZON } from '../../../src/sources/kinesis/position.ts'
import { parseStartingPosition } from '../../../src/sources/kinesis/starting-position.ts'

const parse = (text: string): ReturnType<typeof parseStartingPosition> =>
  parseStartingPosition('source kinesis', text)
const AT = Date.parse('2023-08-30T19:00:05Z')

test('words are read without regard to case', () => {
  for (const text of ['latest', 'LATEST', ' Latest ']) assert.equal(parse(text).others, 'LATEST')
  for (const text of ['trim_horizon', 'TRIM_HORIZON', 'earliest'])
    assert.deepEqual(parse(text).others, TRIM_HORIZON)
})

test('a timestamp may be ISO-8601 with any zone, epoch milliseconds, or JSON', () => {
  const spellings = [
    'AT_TIMESTAMP 2023-08-30T19:00:05Z',
    'at_timestamp 2023-08-30T21:00:05+02:00',
    'at_timestamp 2023-08-30T21:00:05+0200',
    'at_timestamp 2023-08-30T19:00:05.000Z',
    `at_timestamp ${AT}`,
    '{"at_timestamp": "2023-08-30T19:00:05Z"}',
    `{"AT_TIMESTAMP": ${AT}}`,
  ]
  for (const text of spellings) assert.deepEqual(parse(text).others, { timestampMs: AT }, text)
})

test('positions by shard are read in the plain spelling', () => {
  const { shards, others } = parse(
    '{"shardId-000000000000": "trim_horizon", "shardId-000000000001": {"after_sequence_number": "4959"}, ' +
      '"shardId-000000000002": {"at_sequence_number": "17"}, "shardId-000000000003": {"at_timestamp": 1000}, "others": "earliest"}',
  )
  assert.deepEqual(Object.fromEntries(shards), {
    'shardId-000000000000': TRIM_HORIZON,
    'shardId-000000000001': { sequenceNumber: '4959' },
    'shardId-000000000002': { sequenceNumber: '17', inclusive: true },
    'shardId-000000000003': { timestampMs: 1000 },
  })
  assert.deepEqual(others, TRIM_HORIZON)
})

test("what Spark's connectors logged is read as they meant it", () => {
  const { shards, others } = parse(
    JSON.stringify({
      metadata: { streamName: 's', batchId: '7' },
      a: { iteratorType: 'AFTER_SEQUENCE_NUMBER', iteratorPosition: '4959' },
      b: { iteratorType: 'AT_TIMESTAMP', iteratorPosition: String(AT) },
      c: { iteratorType: 'TRIM_HORIZON', iteratorPosition: '' },
      d: {
        iteratorType: 'AT_SEQUENCE_NUMBER',
        iteratorPosition: '5',
        subSequenceNumber: '3',
        isLast: 'false',
      },
      e: {
        iteratorType: 'AFTER_SEQUENCE_NUMBER',
        iteratorPosition: '5',
        subSequenceNumber: '3',
        isLast: 'true',
      },
      f: { iteratorType: 'SHARD_END', iteratorPosition: '' },
      g: {
        iteratorType: 'AT_SEQUENCE_NUMBER',
        iteratorPosition: '5',
        subSequenceNumber: '-1',
        isLast: 'true',
      },
    }),
  )
  assert.deepEqual(Object.fromEntries(shards), {
    a: { sequenceNumber: '4959' },
    b: { timestampMs: AT },
    c: TRIM_HORIZON,
    d: { sequenceNumber: '5', subSequenceNumber: 3 },
    e: { sequenceNumber: '5' },
    f: 'SHARD_END',
    g: { sequenceNumber: '5', inclusive: true },
  })
  assert.equal(others, 'LATEST')
})

test('anything else is refused with what would be right', () => {
  const bad = [
    'newest',
    '',
    'at_timestamp',
    'at_timestamp yesterday',
    // Without a zone it would mean another moment on another machine.
    'at_timestamp 2023-08-30T19:00:05',
    '{"at_timestamp": "x"}',
    '{',
    '[]',
    '{}',
    '{"shardId-0": {"after_sequence_number": "007"}}',
    '{"shardId-0": {"after_sequence_number": 4959}}',
    '{"shardId-0": 5}',
    '{"shardId-0": {"iteratorType": "NEXT", "iteratorPosition": "1"}}',
  ]
  for (const text of bad) {
    assert.throws(
      () => parse(text),
      (error) => hasCode(error, 'OPTION_INVALID') && error.message.includes('trim_horizon'),
      text,
    )
  }
})

const summary: StreamSummary = {
  name: 's',
  arn: 'arn:aws:kinesis:us-east-1:123456789012:stream/s',
  status: 'ACTIVE',
  createdMs: 1,
  retentionMs: 86_400_000,
  autoPlaced: false,
  serverTime: { earliestMs: 2_000_000_000_000, latestMs: 2_000_000_000_999 },
}
const listed = new Map<string, Shard>(
  ['a', 'b'].map((shardId) => [
    shardId,
    { shardId, parents: [], hashRange: { start: 0n, end: 1n }, closed: shardId === 'a' },
  ]),
)

test("latest is pinned at the service's own time, in closed shards as well", () => {
  const { shards } = firstPosition(parse('latest'), summary, listed)
  const pinned = { timestampMs: 2_000_000_000_000 }
  assert.deepEqual(Object.fromEntries(shards), { a: pinned, b: pinned })
})

test('a timestamp older than anything that is kept starts at the horizon', () => {
  const { shards } = firstPosition(parse('at_timestamp 2000-01-01T00:00:00Z'), summary, listed)
  assert.deepEqual(shards.get('a'), { from: 'TRIM_HORIZON', seenMs: summary.serverTime.earliestMs })
})

test('a timestamp in the future is refused, as the service would', () => {
  const late = parse(`at_timestamp ${summary.serverTime.latestMs + 1}`)
  assert.throws(
    () => firstPosition(late, summary, listed),
    (error) => hasCode(error, 'OPTION_INVALID'),
  )
})

test('a shard that the stream does not have is refused', () => {
  const stray = parse('{"c": "latest"}')
  assert.throws(
    () => firstPosition(stray, summary, listed),
    (error) => hasCode(error, 'OPTION_INVALID') && /\bc\b/.test(error.message),
  )
})
