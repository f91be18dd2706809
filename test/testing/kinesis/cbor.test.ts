import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCbor } from '../../../src/testing/kinesis/cbor-reader.ts'
import { type CborOptions, CborWriter } from '../../../src/testing/kinesis/cbor-writer.ts'

const seed = process.env['SLUICE_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }

function write(value: unknown, lengths: CborOptions['lengths'] = 'definite'): Buffer {
  const writer = new CborWriter({ lengths })
  writer.value(value)
  return Buffer.from(writer.finish())
}

test('numbers, text and lists are written as RFC 8949 has them (appendix A)', () => {
  const vectors: [unknown, string][] = [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [-1, '20'],
    [-1000, '3903e7'],
    [1.1, 'fb3ff199999999999a'],
    [false, 'f4'],
    [true, 'f5'],
    [null, 'f6'],
    ['', '60'],
    ['IETF', '6449455446'],
    ['水', '63e6b0b4'],
    [Uint8Array.of(1, 2, 3, 4), '4401020304'],
    [[1, [2, 3]], '8201820203'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  ]
  for (const [value, hex] of vectors) {
    assert.equal(write(value).toString('hex'), hex)
    const read = readCbor(Buffer.from(hex, 'hex'))
    assert.deepEqual(read instanceof Uint8Array ? Uint8Array.from(read) : read, value)
  }
})

test('reads what other encoders write: indefinite lengths, parts of strings, short floats, tags', () => {
  const vectors: [string, unknown][] = [
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['5f42010243030405ff', Buffer.from([1, 2, 3, 4, 5])],
    ['f93e00', 1.5],
    ['f9c400', -4],
    ['fa47c35000', 100_000],
    ['f7', null],
    ['c11b0000019b76da1c00', new Date(0x19b76da1c00)],
  ]
  for (const [hex, value] of vectors) assert.deepEqual(readCbor(Buffer.from(hex, 'hex')), value, hex)
})

test('whatever is written is read back, with either kind of length', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.date({ noInvalidDate: true }),
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
    ),
  })).value
  fc.assert(
    fc.property(value, fc.constantFrom('definite', 'indefinite'), (written, lengths) => {
      assert.deepEqual(readCbor(write(written, lengths)), written)
    }),
    replay,
  )
})

test('a cut or lengthened value is refused, never misread', () => {
  const whole = write(
    { Records: [{ Data: Buffer.alloc(300), PartitionKey: 'k', at: new Date(5) }] },
    'indefinite',
  )
  const refused = { name: 'SerializationException' }
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readCbor(whole.subarray(0, length)), refused, `cut at ${length}`)
  }
  assert.throws(() => readCbor(Buffer.concat([whole, Buffer.from([0])])), refused)
})

test('random bytes are read or refused, and nesting has a bottom', () => {
  const tryReading = (bytes: Uint8Array): void => {
    try {
      readCbor(bytes)
    } catch (error) {
      assert.equal((error as Error).name, 'SerializationException')
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), tryReading), { ...replay, numRuns: 2000 })
  tryReading(Buffer.alloc(100_000, 0x81))
})
