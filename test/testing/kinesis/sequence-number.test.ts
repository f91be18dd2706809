import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseSequenceNumber, sequenceNumbersOf } from '../../../src/testing/kinesis/sequence-number.ts'

const seed = process.env['SLUICE_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }
const SECONDS = fc.integer({ min: 1_000_000_000, max: 16_000_000_000 })
const SHARD = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const COUNTER = fc.maxSafeNat()

test('a sequence number has 56 digits and says which shard issued it', () => {
  fc.assert(
    fc.property(SECONDS, SHARD, COUNTER, SECONDS, (shardCreated, shardNumber, counter, arrived) => {
      const text = sequenceNumbersOf(shardCreated, shardNumber)(counter, arrived)
      assert.match(text, /^\d{56}$/)
      assert.deepEqual(parseSequenceNumber(text), { shardCreated, shardNumber, counter, arrived })
    }),
    replay,
  )
})

test('numbers of a shard rise with the counter, even when the clock goes back', () => {
  fc.assert(
    fc.property(SECONDS, SHARD, COUNTER, SECONDS, SECONDS, (created, shard, counter, before, after) => {
      const numbers = sequenceNumbersOf(created, shard)
      assert.ok(BigInt(numbers(counter, before)) < BigInt(numbers(counter + 1, after)))
    }),
    replay,
  )
})

test('no number that a client makes up is taken for an issued one', () => {
  const text = sequenceNumbersOf(1_767_225_600, 3)(42, 1_767_225_601)
  for (const made of ['', '0', 'x', '-1', String(BigInt(text) + 1n), `${text}0`, text.slice(1)]) {
    assert.equal(parseSequenceNumber(made), undefined, made)
  }
})
