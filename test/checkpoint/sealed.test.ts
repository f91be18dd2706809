import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../../src/batch.ts'
import { seal, unseal } from '../../src/checkpoint/sealed.ts'
import { checksum } from '../../src/checksum.ts'
import { hasCode, SluiceError } from '../../src/errors.ts'

const open = (bytes: Uint8Array, versions: readonly number[] = [1]): Json =>
  unseal('offsets', versions, '/checkpoints/clicks', 'offsets/7', bytes)
const file = (text: string): Uint8Array => {
  const content = Buffer.from(text)
  return Buffer.concat([content, Buffer.from(`end ${content.length} ${checksum(content)}\n`)])
}
const damaged = (reason: RegExp) => (error: unknown) =>
  hasCode(error, 'CHECKPOINT_CORRUPT') && error.message.includes('offsets/7') && reason.test(error.message)

describe('sealed file', () => {
  test('reads as three lines', () => {
    const text = Buffer.from(seal('offsets', 1, { batchId: 7 })).toString()
    assert.equal(text, 'sluice offsets v1\n{"batchId":7}\nend 32 04aa8efe\n')
  })

  test('gives back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON itself knows no -0.
        const expected = JSON.parse(JSON.stringify(value)) as Json
        assert.deepEqual(open(seal('offsets', 1, value as Json)), expected)
      }),
      { numRuns: 300 },
    )
    for (const odd of ['\ud800', '\u2028', '\0', 'é', '😀']) {
      assert.equal(open(seal('offsets', 1, odd)), odd)
    }
  })

  test('refuses every truncation and every flipped bit', () => {
    const bytes = seal('offsets', 1, { batchId: 7, sources: [{ start: { 'shardId-0': '49590' }, rows: 3 }] })
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => open(bytes.subarray(0, length)), damaged(/./), `cut at ${length}`)
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(() => open(flipped), damaged(/./), `bit ${bit}`)
    }
  })

  test('says what is wrong with a damaged file', () => {
    const good = Buffer.from(seal('offsets', 1, { batchId: 7 }))
    assert.throws(() => open(new Uint8Array()), damaged(/is empty/))
    assert.throws(() => open(Buffer.from('{"id":"6f1c"}\n')), damaged(/does not begin with a line such as/))
    assert.throws(() => open(good.subarray(0, -1)), damaged(/is cut off or was edited/))
    assert.throws(() => open(Buffer.concat([good, Buffer.from('x')])), damaged(/is cut off or was edited/))
    assert.throws(
      () => open(Buffer.from(good.toString().replace('32', '33'))),
      damaged(/holds 32 bytes where .* 33/),
    )
    assert.throws(
      () => open(Buffer.from(good.toString().replace(':7', ':8'))),
      damaged(/has checksum \w{8} where its last line says 04aa8efe/),
    )
    assert.throws(() => open(seal('commit', 1, {})), damaged(/is a file of kind 'commit', not 'offsets'/))
    assert.throws(() => open(Buffer.alloc(40)), damaged(/does not begin/))
    assert.throws(() => open(Buffer.from(`\ufeff${good.toString()}`)), damaged(/does not begin/))
    assert.throws(
      () => open(Buffer.from(good.toString().replaceAll('\n', '\r\n'))),
      damaged(/does not begin/),
    )
  })

  test('refuses a newer format by its version, and a version that never was as damage', () => {
    const isNewer = (error: unknown) =>
      hasCode(error, 'CHECKPOINT_VERSION') && /version 999, this Sluice reads version 1\./.test(error.message)
    assert.throws(() => open(seal('offsets', 999, { shape: 'unknown' })), isNewer)
    assert.deepEqual(open(seal('offsets', 2, {}), [1, 2]), {})
    for (const version of ['v0', 'v-10', 'v1.5', 'v', '1', 'v01', 'v99999999999']) {
      assert.throws(() => open(file(`sluice offsets ${version}\n{}\n`)), damaged(/./), version)
    }
  })

  test('refuses what is not JSON or not UTF-8 behind a right checksum', () => {
    assert.throws(() => open(file('sluice offsets v1\n{"a":\n')), damaged(/not JSON/))
    assert.throws(() => open(file('sluice offsets v1\n')), damaged(/not JSON/))
    const latin = Buffer.concat([
      Buffer.from('sluice offsets v1\n"'),
      Buffer.from([0xff]),
      Buffer.from('"\n'),
    ])
    const end = Buffer.from(`end ${latin.length} ${checksum(latin)}\n`)
    assert.throws(() => open(Buffer.concat([latin, end])), damaged(/not JSON/))
  })

  test('survives nesting a million deep with a value or a code', () => {
    const deep = file(`sluice offsets v1\n${'['.repeat(1e6)}${']'.repeat(1e6)}\n`)
    try {
      assert.ok(Array.isArray(open(deep)))
    } catch (error) {
      assert.ok(error instanceof SluiceError, String(error))
    }
  })

  test('does not store a number that JSON would change in silence', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(
        () => seal('offsets', 1, { watermarkMs: value }),
        (error) => hasCode(error, 'CHECKPOINT_MISUSE') && error.message.includes('watermarkMs'),
      )
    }
  })

  test('takes a checksum in pieces', () => {
    const bytes = Buffer.from('some state, some more state')
    assert.equal(checksum(bytes.subarray(9), checksum(bytes.subarray(0, 9))), checksum(bytes))
    assert.equal(checksum(Buffer.from('123456789')), 'cbf43926')
  })
})
