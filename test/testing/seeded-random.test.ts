import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../src/testing/seeded-random.ts'

test('draws spread evenly over the unit interval', () => {
  const random = seededRandom('even')
  const buckets = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) {
    const draw = random.next()
    assert.ok(draw >= 0 && draw < 1)
    buckets[Math.floor(draw * 10)]!++
  }
  for (const count of buckets) assert.ok(count > 9_500 && count < 10_500, String(buckets))
})

test('near seeds start far apart', () => {
  const first = Array.from({ length: 1000 }, (_, seed) => seededRandom(seed).next())
  assert.equal(new Set(first).size, 1000)
  const mean = first.reduce((sum, draw) => sum + draw, 0) / first.length
  assert.ok(Math.abs(mean - 0.5) < 0.05, String(mean))
})

test('whole numbers and picks stay within their bounds and reach all of them', () => {
  const random = seededRandom(1)
  assert.deepEqual(new Set(Array.from({ length: 200 }, () => random.below(3))), new Set([0, 1, 2]))
  assert.deepEqual(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b']))), new Set(['a', 'b']))
})
