import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { Counters } from '../../../src/sources/kinesis/counters.ts'
import { deaggregate, hashKeyOf } from '../../../src/sources/kinesis/deaggregate.ts'
import type { StoredRecord } from '../../../src/sources/kinesis/kinesis-port.ts'
import { rowsOf } from '../../../src/sources/kinesis/rows.ts'
import { aggregate, sealAggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { forSeeds } from '../../support/seeds.ts'

const two = aggregate([
  { partitionKey: 'a', data: 'one' },
  { partitionKey: 'b', explicitHashKey: '7', data: 'two' },
])

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('takes an aggregate apart in order, with the keys of each record', () => {
  const parts = deaggregate(two)
  assert.ok(Array.isArray(parts))
  assert.deepEqual(
    parts.map((part) => ({ ...part, data: text(part.data) })),
    [
      { partitionKey: 'a', explicitHashKey: undefined, data: 'one' },
      { partitionKey: 'b', explicitHashKey: '7', data: 'two' },
    ],
  )
})

test('what lacks magic, length or checksum is a plain record', () => {
  const broken = Uint8Array.from(two)
  broken[broken.length - 1]! ^= 1
  const otherMagic = Uint8Array.from(two)
  otherMagic[0] = 0
  for (const bytes of [
    new Uint8Array(),
    Buffer.from('{}'),
    two.subarray(0, 3),
    two.subarray(0, 20),
    broken,
    otherMagic,
  ]) {
    assert.equal(deaggregate(bytes), 'plain')
  }
})

test('a message that its checksum vouches for and that is no aggregate is corrupt, never half delivered', () => {
  const record = (bytes: readonly number[]): Uint8Array =>
    sealAggregate(Uint8Array.from([0x0a, 1, 0x61, 0x1a, bytes.length, ...bytes]))
  // A sound one first, to show that only the damage makes the difference.
  assert.ok(Array.isArray(deaggregate(record([0x08, 0, 0x1a, 1, 0x78]))))
  const damaged = {
    'partition key index beyond its table': record([0x08, 1, 0x1a, 1, 0x78]),
    'hash key index beyond its table': record([0x08, 0, 0x10, 0, 0x1a, 1, 0x78]),
    'no partition key': record([0x1a, 1, 0x78]),
    'no data': record([0x08, 0]),
    'length beyond the end': record([0x08, 0, 0x1a, 9, 0x78]),
    'varint without end': record([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    'field number zero': record([0x00, 0]),
    'group, a wire type that is gone': record([0x0b]),
    'index as text': record([0x0a, 1, 0x61, 0x1a, 1, 0x78]),
  }
  for (const [what, bytes] of Object.entries(damaged)) assert.equal(deaggregate(bytes), 'corrupt', what)
})

test('unknown fields, and tags of a record, are passed over', () => {
  const tags = [0x22, 3, 0x0a, 1, 0x6b]
  const fixed = [0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x35, 1, 2, 3, 4]
  const record = [0x08, 0, 0x1a, 1, 0x78, ...tags, ...fixed]
  const parts = deaggregate(
    sealAggregate(Uint8Array.from([0x0a, 1, 0x61, 0x1a, record.length, ...record, 0x3a, 1, 0])),
  )
  assert.ok(Array.isArray(parts))
  assert.equal(parts.length, 1)
})

test('random damage behind a right checksum never throws', async () => {
  await forSeeds(30, (random) => {
    for (let i = 0; i < 50; i++) {
      const message = Uint8Array.from({ length: 1 + random.below(60) }, () => random.below(256))
      const parts = deaggregate(sealAggregate(message))
      assert.ok(parts === 'corrupt' || Array.isArray(parts))
    }
    return Promise.resolve()
  })
})

test('an explicit hash key places a record, else the MD5 of its partition key', () => {
  const data = new Uint8Array()
  assert.equal(hashKeyOf({ partitionKey: 'a', explicitHashKey: '7', data }), 7n)
  const md5 = BigInt(`0x${createHash('md5').update('ключ').digest('hex')}`)
  assert.equal(hashKeyOf({ partitionKey: 'ключ', explicitHashKey: undefined, data }), md5)
})

const stored = (data: Uint8Array): StoredRecord => ({
  sequenceNumber: '5',
  partitionKey: 'outer',
  data,
  arrivedMs: 1,
})
const everything = { start: 0n, end: 2n ** 128n - 1n }

test('rows of an aggregate carry their index, and the sequence number and arrival of the whole', () => {
  const rows = rowsOf(stored(two), everything, new Counters())
  assert.deepEqual(
    rows.map(({ data, ...row }) => ({ ...row, text: text(data) })),
    [
      {
        sequenceNumber: '5',
        subSequenceNumber: 0,
        partitionKey: 'a',
        arrivedMs: 1,
        last: false,
        text: 'one',
      },
      { sequenceNumber: '5', subSequenceNumber: 1, partitionKey: 'b', arrivedMs: 1, last: true, text: 'two' },
    ],
  )
})

test('an aggregate with a record of another shard is dropped whole and counted', () => {
  const counters = new Counters()
  assert.deepEqual(rowsOf(stored(two), { start: 8n, end: everything.end }, counters), [])
  assert.equal(counters.misplacedAggregates, 1)
})

test('without a hash range nothing is dropped: records were placed without regard to their keys', () => {
  assert.equal(rowsOf(stored(two), undefined, new Counters()).length, 2)
})

test('a corrupt aggregate is delivered as it is and counted', () => {
  const counters = new Counters()
  const bytes = sealAggregate(Uint8Array.of(0x1a, 9))
  const [row, ...more] = rowsOf(stored(bytes), everything, counters)
  assert.deepEqual(more, [])
  assert.equal(row?.subSequenceNumber, undefined)
  assert.equal(row?.partitionKey, 'outer')
  assert.deepEqual(row?.data, bytes)
  assert.equal(counters.corruptAggregates, 1)
})
