import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyBuffer, LentBody } from '../../../src/sources/kinesis/lent-body.ts'

const MIB = 1024 * 1024
const giveBack = (buffer: Buffer): void => new LentBody(buffer, 1).release(1)

test('a buffer that came back is lent again, for a body of about its size', () => {
  const first = bodyBuffer(MIB)
  assert.ok(first.length >= 2 * MIB)
  giveBack(first)
  assert.notEqual(bodyBuffer(4 * MIB), first)
  assert.notEqual(bodyBuffer(MIB / 8), first)
  assert.equal(bodyBuffer(MIB - 1000), first)
  assert.notEqual(bodyBuffer(MIB), first)
})

test('what waits to be lent is bounded, and makes room for sizes that are asked for now', () => {
  const small = Array.from({ length: 200 }, () => bodyBuffer(MIB))
  for (const each of small) giveBack(each)
  const large = bodyBuffer(100 * MIB)
  giveBack(large)
  assert.equal(bodyBuffer(100 * MIB), large)
  const known = new Set(small)
  const lent = Array.from({ length: 200 }, () => bodyBuffer(MIB)).filter((each) => known.has(each))
  assert.ok(lent.length > 0 && lent.length <= 60, `${lent.length} of the small ones were kept`)
})

test('buffers that no answer needs for a while are let go', () => {
  const buffers = Array.from({ length: 10 }, () => bodyBuffer(8 * MIB))
  for (const each of buffers) giveBack(each)
  const isKept = (): boolean => {
    const lent = bodyBuffer(8 * MIB)
    giveBack(lent)
    return buffers.includes(lent)
  }
  assert.ok(isKept())
  for (let answer = 0; answer < 1000; answer++) bodyBuffer(100)
  assert.ok(!isKept())
})
