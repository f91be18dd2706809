import assert from 'node:assert/strict'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectAclCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { BUCKET, scene } from './scene.ts'

const NAMES = [
  'a b/ü+&.txt',
  'it\'s "<quoted>"',
  'a/../b',
  '日本/語',
  'per%cent',
  'a//b',
  'plus+and space',
  '~',
]

describe('objects', () => {
  test('come back as they were put, whatever their name, with their metadata', async () => {
    const { put, get, list, double, client } = await scene()
    for (const name of NAMES)
      assert.equal(await put(name, `content of ${name}`, { Metadata: { who: 'me' } }), 'ok')
    for (const name of NAMES) assert.equal(await get(name), `content of ${name}`)
    const bytewise = [...NAMES].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(await list(), bytewise)
    assert.deepEqual(double.keys(BUCKET), bytewise)
    const head = await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: NAMES[0] }))
    assert.deepEqual(head.Metadata, { who: 'me' })
    assert.equal(head.ContentLength, Buffer.byteLength(`content of ${NAMES[0]}`))
    assert.equal(head.ETag, double.object(BUCKET, NAMES[0] ?? '')?.etag)
  })

  test('that are not there are NoSuchKey to get, 404 to head, and nothing to remove', async () => {
    const { get, remove, client } = await scene()
    assert.equal(await get('none'), '!NoSuchKey')
    assert.equal(await remove('none'), 'ok')
    await assert.rejects(client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'none' })), {
      name: 'NotFound',
    })
    await assert.rejects(client.send(new ListObjectsV2Command({ Bucket: 'other' })), { name: 'NoSuchBucket' })
  })

  test('are removed one by one and many at once', async () => {
    const { put, remove, client, double } = await scene()
    for (const key of ['a', 'b & c', 'd']) await put(key, 'x')
    assert.equal(await remove('a'), 'ok')
    const Objects = [{ Key: 'b & c' }, { Key: 'none' }]
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }))
    assert.deepEqual(Deleted, [{ Key: 'b & c' }, { Key: 'none' }])
    assert.deepEqual(double.keys(BUCKET), ['d'])
  })

  test('of a stream of unknown checksum arrive without their framing, and with it', async () => {
    const { put, get, double } = await scene()
    const body = Buffer.alloc(200_000, 'stream')
    assert.equal(await put('stream', Readable.from([body]), { ContentLength: body.length }), 'ok')
    assert.equal(await get('stream'), body.toString())
    const { bytesIn = 0 } = double.calls[0] ?? {}
    assert.ok(bytesIn > body.length, `${bytesIn} bytes`)
    assert.match(
      Object.keys(double.object(BUCKET, 'stream')?.checksums ?? {}).join(),
      /^x-amz-checksum-crc32$/,
    )
  })

  test('are given in part, and not beyond their end', async () => {
    const { put, get } = await scene()
    await put('digits', '0123456789')
    const ranges = { 'bytes=2-4': '234', 'bytes=7-': '789', 'bytes=-2': '89', 'bytes=8-99': '89' }
    for (const [Range, part] of Object.entries(ranges)) assert.equal(await get('digits', { Range }), part)
    assert.equal(await get('digits', { Range: 'bytes=10-' }), '!InvalidRange')
  })

  test('whose content is not what a checksum says are refused', async () => {
    const { put, double } = await scene()
    assert.equal(await put('x', 'hello', { ChecksumCRC32: 'AAAAAA==' }), '!BadDigest')
    assert.equal(await put('x', 'hello', { ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' }), '!BadDigest')
    assert.equal(await put('x', 'hello', { ChecksumCRC32: 'NhCmhg==' }), 'ok')
    assert.deepEqual(double.keys(BUCKET), ['x'])
  })
})

describe('conditions', () => {
  test('If-None-Match creates once; one of fifty at the same time wins', async () => {
    const { put, get } = await scene()
    const puts = Array.from({ length: 50 }, (_, i) => put('epoch', `writer ${i}`, { IfNoneMatch: '*' }))
    const outcomes = await Promise.all(puts)
    assert.equal(outcomes.filter((each) => each === 'ok').length, 1)
    assert.equal(outcomes.filter((each) => each === '!PreconditionFailed').length, 49)
    assert.equal(await get('epoch'), `writer ${outcomes.indexOf('ok')}`)
  })

  test('If-Match writes over what was seen and over nothing else', async () => {
    const { put, double } = await scene()
    assert.equal(await put('x', 'one', { IfMatch: '"abc"' }), '!NoSuchKey')
    await put('x', 'one')
    assert.equal(await put('x', 'two', { IfMatch: '"abc"' }), '!PreconditionFailed')
    assert.equal(await put('x', 'two', { IfMatch: double.object(BUCKET, 'x')?.etag }), 'ok')
  })

  test('a content that is known already is not sent again', async () => {
    const { put, get, double } = await scene()
    await put('x', 'one')
    assert.equal(await get('x', { IfNoneMatch: double.object(BUCKET, 'x')?.etag }), '!304')
    assert.equal(await get('x', { IfNoneMatch: '"other"' }), 'one')
  })

  test('are ignored or refused by a double that plays an unsafe store', async () => {
    const ignoring = await scene({ conditionalWrites: 'ignored' })
    assert.equal(await ignoring.put('x', 'one', { IfNoneMatch: '*' }), 'ok')
    assert.equal(await ignoring.put('x', 'two', { IfNoneMatch: '*' }), 'ok')
    assert.equal(await ignoring.get('x'), 'two')
    const refusing = await scene({ conditionalWrites: 'refused' })
    assert.equal(await refusing.put('x', 'one', { IfNoneMatch: '*' }), '!NotImplemented')
    assert.equal(await refusing.put('x', 'one'), 'ok')
  })
})

describe('listings', () => {
  test('come in pages of a thousand, each going on after the last', async () => {
    const { client, double } = await scene()
    for (let i = 0; i < 2345; i++) double.put(BUCKET, `p/${i}`, '')
    double.put(BUCKET, 'q', '')
    const pages: string[][] = []
    let ContinuationToken: string | undefined
    do {
      const input = { Bucket: BUCKET, Prefix: 'p/', ...(ContinuationToken && { ContinuationToken }) }
      const page = await client.send(new ListObjectsV2Command(input))
      pages.push((page.Contents ?? []).map(({ Key = '' }) => Key))
      assert.equal(page.KeyCount, pages.at(-1)?.length)
      assert.equal(page.IsTruncated, page.NextContinuationToken !== undefined)
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    assert.deepEqual(
      pages.map((page) => page.length),
      [1000, 1000, 345],
    )
    assert.deepEqual(pages.flat(), double.keys(BUCKET, 'p/'))
  })

  test('begin after a key, hold so many, and write names as URLs on demand', async () => {
    const { list, double, client } = await scene()
    for (const key of ['a', 'b c', 'd\u0001', 'e']) double.put(BUCKET, key, '')
    assert.deepEqual(await list({ StartAfter: 'a', MaxKeys: 1 }), ['b c'])
    assert.deepEqual(await list({ StartAfter: 'd' }), ['d\u0001', 'e'])
    assert.deepEqual(await list({ EncodingType: 'url' }), ['a', 'b+c', 'd%01', 'e'])
    await assert.rejects(
      client.send(new ListObjectsV2Command({ Bucket: BUCKET, ContinuationToken: 'made up' })),
      { name: 'InvalidArgument' },
    )
  })
})

describe('requests', () => {
  test('may name the bucket in the host instead of the path', async () => {
    const { double, endpointUrl } = await scene()
    double.put(BUCKET, 'a b', 'hosted')
    const { hostname, port } = new URL(endpointUrl)
    const got = await new Promise<string>((resolve, reject) => {
      const options = {
        hostname,
        port,
        path: '/a%20b',
        headers: { Host: `${BUCKET}.s3.eu-west-1.amazonaws.com` },
      }
      request(options, (response) => {
        response.setEncoding('utf8').on('data', resolve)
      })
        .on('error', reject)
        .end()
    })
    assert.equal(got, 'hosted')
    assert.equal(double.calls[0]?.style, 'host')
  })

  test('that the double does not know are refused as not implemented', async () => {
    const { client } = await scene()
    await assert.rejects(client.send(new GetObjectAclCommand({ Bucket: BUCKET, Key: 'x' })), {
      name: 'NotImplemented',
    })
    await assert.rejects(client.send(new ListObjectsV2Command({ Bucket: BUCKET, Delimiter: '/' })), {
      name: 'NotImplemented',
    })
  })

  test('signed for another region are told the right one', async () => {
    const { client } = await scene({ region: 'eu-west-1' }, 'us-east-1')
    await assert.rejects(client.send(new ListObjectsV2Command({ Bucket: BUCKET })), {
      name: 'AuthorizationHeaderMalformed',
      Region: 'eu-west-1',
    })
  })

  test('are logged with who asked what, when, and what came of it', async () => {
    const clock = new ManualClock()
    const { put, get, list, double } = await scene({ clock })
    await put('x', 'hello', { IfNoneMatch: '*' })
    await get('none')
    await list({ Prefix: 'x' })
    assert.deepEqual(
      double.calls.map(({ operation, key, outcome, ifNoneMatch }) => [operation, key, outcome, ifNoneMatch]),
      [
        ['PutObject', 'x', 'ok', '*'],
        ['GetObject', 'none', 'NoSuchKey', undefined],
        ['ListObjectsV2', 'x', 'ok', undefined],
      ],
    )
    const { atMs, bytesIn, accessKeyId, signedRegion } = double.calls[0] ?? {}
    assert.deepEqual([atMs, bytesIn, accessKeyId, signedRegion], [clock.now(), 5, 'anybody', 'eu-west-1'])
    double.clearCalls()
    assert.equal(double.calls.length, 0)
  })
})

describe('uploads in parts', () => {
  const MIB = 1024 ** 2

  test('become one object when they are completed, and nothing before', async () => {
    const { client, double } = await scene()
    const at = { Bucket: BUCKET, Key: 'big' }
    const begun = await client.send(new CreateMultipartUploadCommand({ ...at, Metadata: { who: 'me' } }))
    const upload = { ...at, UploadId: begun.UploadId }
    const Parts: CompletedPart[] = []
    for (const [index, size] of [5 * MIB, 3].entries()) {
      const PartNumber = index + 1
      const Body = Buffer.alloc(size, `${PartNumber}`)
      const sent = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body }))
      Parts.push({ PartNumber, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32 })
    }
    assert.deepEqual([double.keys(BUCKET), double.uploads(BUCKET)], [[], ['big']])
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: 'b' }))
    assert.equal(Uploads?.[0]?.UploadId, begun.UploadId)
    const done = await client.send(
      new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }),
    )
    const object = double.object(BUCKET, 'big')
    assert.equal(object?.etag, done.ETag)
    assert.match(done.ETag ?? '', /-2"$/)
    assert.deepEqual([object?.content.length, object?.metadata], [5 * MIB + 3, { who: 'me' }])
    assert.deepEqual(double.uploads(BUCKET), [])
    await assert.rejects(client.send(new AbortMultipartUploadCommand(upload)), { name: 'NoSuchUpload' })
  })

  test('are refused when a part is too small, missing or out of order, and vanish when aborted', async () => {
    const { client, double } = await scene()
    const at = { Bucket: BUCKET, Key: 'big' }
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(at))
    const sent: CompletedPart[] = []
    for (const PartNumber of [1, 2]) {
      const command = new UploadPartCommand({ ...at, UploadId, PartNumber, Body: Buffer.from('small') })
      const { ETag, ChecksumCRC32 } = await client.send(command)
      sent.push({ PartNumber, ETag, ChecksumCRC32 })
    }
    const refused = async (Parts: CompletedPart[], name: string) => {
      const command = new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } })
      await assert.rejects(client.send(command), { name })
    }
    await refused(sent, 'EntityTooSmall')
    await refused([...sent].reverse(), 'InvalidPartOrder')
    await refused([{ ...sent[0], PartNumber: 3 }], 'InvalidPart')
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId }))
    assert.deepEqual([double.keys(BUCKET), double.uploads(BUCKET)], [[], []])
    await refused(sent, 'NoSuchUpload')
  })
})
