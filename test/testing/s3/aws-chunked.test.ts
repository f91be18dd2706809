import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { unframe } from '../../../src/testing/s3/aws-chunked.ts'
import { S3ServiceError } from '../../../src/testing/s3/service-error.ts'

const seed = process.env['SLUICE_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }

function frame(chunks: readonly Uint8Array[], trailer = ''): Buffer {
  const framed = chunks
    .filter((chunk) => chunk.length > 0)
    .flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')])
  return Buffer.concat([...framed, Buffer.from(`0\r\n${trailer}\r\n`)])
}

describe('aws-chunked', () => {
  test('gives back any content that was cut into any chunks', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
    fc.assert(
      fc.property(chunks, (parts) => {
        const whole = Buffer.concat(parts)
        assert.deepEqual(unframe(frame(parts), whole.length), { content: whole, trailers: {} })
      }),
      replay,
    )
  })

  test('reads trailing headers and passes over chunk signatures', () => {
    const body = Buffer.from(
      '5;chunk-signature=abc\r\nhello\r\n0;chunk-signature=def\r\nx-amz-checksum-crc32: NhCmhg==\r\n\r\n',
    )
    const { content, trailers } = unframe(body, 5)
    assert.equal(content.toString(), 'hello')
    assert.deepEqual(trailers, { 'x-amz-checksum-crc32': 'NhCmhg==' })
  })

  test('refuses a body that is cut off anywhere, or of another length than it says', () => {
    const whole = frame([Buffer.from('hello '), Buffer.from('world')], 'x-amz-checksum-crc32:AAAA\r\n')
    const refused = (error: unknown) => error instanceof S3ServiceError && error.name === 'IncompleteBody'
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => unframe(whole.subarray(0, length), 11), refused, `cut at ${length}`)
    }
    assert.throws(() => unframe(whole, 12), refused)
    assert.throws(() => unframe(Buffer.from('2\r\nhello\r\n0\r\n\r\n'), undefined), refused)
  })
})
