import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { aggregate, sealAggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'

test('packs records as the producer library does: magic, protobuf with key tables, MD5', () => {
  const packed = Buffer.from(
    aggregate([
      { partitionKey: 'a', data: 'x' },
      { partitionKey: 'b', explicitHashKey: '7', data: Uint8Array.of(1, 2) },
      { partitionKey: 'a', data: '' },
    ]),
  )
  const message = Buffer.from(
    [
      '0a 01 61', // partition key 0: a
      '0a 01 62', // partition key 1: b
      '12 01 37', // explicit hash key 0: 7
      '1a 05 08 00 1a 01 78', // key 0, data x
      '1a 08 08 01 10 00 1a 02 01 02', // key 1, hash key 0, data 01 02
      '1a 04 08 00 1a 00', // key 0, no data
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )
  assert.equal(packed.subarray(0, 4).toString('hex'), 'f3899ac2')
  assert.equal(packed.subarray(4, -16).toString('hex'), message.toString('hex'))
  assert.deepEqual(packed.subarray(-16), createHash('md5').update(message).digest())
  assert.deepEqual(Buffer.from(sealAggregate(message)), packed)
})

test('lengths and indexes above 127 take more bytes', () => {
  const records = Array.from({ length: 200 }, (_, i) => ({
    partitionKey: `key ${i}`,
    data: 'd'.repeat(i * 100),
  }))
  const packed = Buffer.from(aggregate(records))
  // The last record: index 199 is c7 01; 19,900 bytes of data are bc 9b 01, with the rest 19,907 are c3 9b 01.
  const last = Buffer.from('1ac39b0108c7011abc9b01', 'hex')
  const at = packed.indexOf(last)
  assert.equal(packed.length - 16 - at, last.length + 19_900)
})
