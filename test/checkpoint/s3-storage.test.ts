import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { S3Fault, S3FaultAction } from '../../src/testing/s3/fault.ts'
import { BUCKET, coded, LOCATION, PREFIX, s3Scene } from './s3-scene.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined) => content && new TextDecoder().decode(content)
const KEY = `${PREFIX}offsets/0`
const put = (action: S3FaultAction, more: Partial<S3Fault> = {}): S3Fault => ({
  operation: 'PutObject',
  key: KEY,
  times: 1,
  action,
  ...more,
})
const get = (action: S3FaultAction, more: Partial<S3Fault> = {}): S3Fault => ({
  ...put(action),
  operation: 'GetObject',
  ...more,
})

describe('writes to S3', () => {
  test('of fifty at the same time one wins, and everybody reads its content', async () => {
    const { open } = await s3Scene()
    const writers = await Promise.all(Array.from({ length: 10 }, () => open()))
    const storages = Array.from({ length: 5 }, () => writers).flat()
    const outcomes = await Promise.all(
      storages.map((storage, i) => storage.create('epochs/1', bytes(`writer ${i}`))),
    )
    assert.deepEqual([...outcomes].sort(), ['created', ...Array.from({ length: 49 }, () => 'exists')])
    assert.equal(text(await writers[7]?.read('epochs/1')), `writer ${outcomes.indexOf('created')}`)
  })

  const lost: readonly (readonly [string, S3FaultAction])[] = [
    ['a reset', { kind: 'reset', applied: true }],
    ['an internal error', { kind: 'error', code: 'InternalError', applied: true }],
    ['a 503', { kind: 'error', code: 'SlowDown', applied: true }],
    ['silence', { kind: 'hang', applied: true }],
  ]
  for (const [name, action] of lost) {
    test(`a write that was done, its answer lost by ${name}, is known as our own`, async () => {
      const { proven, double, requests } = await s3Scene()
      const storage = await proven({ requestTimeout: 300 })
      double.fault(put(action))
      assert.equal(await storage.create('offsets/0', bytes('ours')), 'created')
      assert.equal(requests('PutObject', 'offsets/0'), 2)
      assert.equal(text(await storage.read('offsets/0')), 'ours')
    })

    test(`and so is a state file with an answer lost by ${name}`, async () => {
      const { proven, double } = await s3Scene()
      const storage = await proven({ requestTimeout: 300 })
      const file = await storage.scratchFile()
      await writeFile(file, 'same bytes')
      double.fault(put(action, { key: `${PREFIX}state/agg/0.1.delta.parquet` }))
      assert.equal(await storage.createFrom('state/agg/0.1.delta.parquet', file), 'created')
      await assert.rejects(stat(file), { code: 'ENOENT' })
    })
  }

  test('the same bytes by somebody else are not taken for our own', async () => {
    const { proven, double } = await s3Scene()
    const [ours, theirs] = [await proven(), await proven()]
    double.fault(
      put({
        kind: 'meanwhile',
        applied: false,
        run: async () => {
          double.clearFaults()
          assert.equal(await theirs.create('offsets/0', bytes('same bytes')), 'created')
        },
      }),
    )
    assert.equal(await ours.create('offsets/0', bytes('same bytes')), 'exists')
  })

  test('an object that was put by hand is somebody else’s, and so is one that vanished meanwhile', async () => {
    const { proven, double } = await s3Scene()
    const storage = await proven()
    double.put(BUCKET, KEY, 'by hand')
    assert.equal(await storage.create('offsets/0', bytes('ours')), 'exists')
    const vanish = () => double.remove(BUCKET, KEY)
    double.fault(put({ kind: 'meanwhile', applied: true, run: vanish }))
    assert.equal(await storage.create('offsets/0', bytes('ours')), 'exists')
  })

  const passing: readonly (readonly [string, S3FaultAction, times: number])[] = [
    ['a burst of 503', { kind: 'error', code: 'SlowDown' }, 6],
    ['a conflict (409)', { kind: 'error', code: 'ConditionalRequestConflict' }, 3],
    ['internal errors', { kind: 'error', code: 'InternalError' }, 3],
    ['connections that break', { kind: 'reset', applied: false }, 3],
    ['the service’s own timeout', { kind: 'error', code: 'RequestTimeout' }, 2],
    ['a body damaged on its way', { kind: 'error', code: 'BadDigest' }, 2],
    ['the page of a captive portal', { kind: 'html' }, 2],
    ['a refusal by a proxy', { kind: 'html', status: 403 }, 2],
    ['silence', { kind: 'hang' }, 1],
  ]
  for (const [name, action, times] of passing) {
    test(`a write that meets ${name} is done once, in the end`, async () => {
      const { proven, double, requests, names } = await s3Scene()
      const storage = await proven({ requestTimeout: 300 })
      const fault = double.fault(put(action, { times }))
      assert.equal(await storage.create('offsets/0', bytes('ours')), 'created')
      assert.equal(fault.fired, times)
      assert.equal(requests('PutObject', 'offsets/0'), times + 1)
      assert.deepEqual(names(), ['offsets/0'])
    })
  }

  test('what goes on failing ends with a code that names the place and the request', async () => {
    const { proven, double, endpointUrl } = await s3Scene()
    const storage = await proven({ maxRetryTime: 200 })
    double.fault(put({ kind: 'error', code: 'SlowDown' }, { times: 99 }))
    const { host } = new URL(endpointUrl)
    await assert.rejects(
      storage.create('offsets/0', bytes('x')),
      coded(
        'S3_UNAVAILABLE',
        `PutObject on s3://${BUCKET}/${KEY} of the checkpoint ${LOCATION}`,
        `host ${host}, region eu-west-1, request `,
        'AWS_THROTTLED: SlowDown: Please reduce your request rate. (HTTP 503)',
        'start the query again',
      ),
    )
  })
})

describe('refusals by S3', () => {
  test('no permission names the action, the objects and nothing secret, and is not tried again', async () => {
    const { proven, double, requests } = await s3Scene()
    const storage = await proven()
    double.fault(put({ kind: 'error', code: 'AccessDenied' }, { times: 99 }))
    await assert.rejects(
      storage.create('offsets/0', bytes('x')),
      coded('AWS_ACCESS_DENIED', 'PutObject', 's3:PutObject', `arn:aws:s3:::${BUCKET}/${PREFIX}*`),
    )
    assert.equal(requests('PutObject', 'offsets/0'), 1)
    double.fault(get({ kind: 'error', code: 'AccessDenied' }))
    await assert.rejects(
      storage.read('offsets/0'),
      coded('AWS_ACCESS_DENIED', 's3:GetObject and s3:ListBucket'),
    )
  })

  for (const status of [400, 403]) {
    test(`an expired token (${status}) is renewed once, then refused`, async () => {
      const { proven, double, requests } = await s3Scene()
      const storage = await proven()
      const expired: S3FaultAction = { kind: 'error', code: 'ExpiredToken', status }
      double.fault(put(expired))
      assert.equal(await storage.create('offsets/0', bytes('x')), 'created')
      assert.equal(requests('PutObject', 'offsets/0'), 2)
      double.fault(put(expired, { key: `${PREFIX}offsets/1`, times: 99 }))
      await assert.rejects(
        storage.create('offsets/1', bytes('x')),
        coded('AWS_CREDENTIALS_REJECTED', 'ExpiredToken', 'the option awsAccessKeyId', 'have not expired'),
      )
      assert.equal(requests('PutObject', 'offsets/1'), 2)
    })
  }

  test('a bucket of another region is named with its region', async () => {
    const { open } = await s3Scene({ region: 'eu-central-1' })
    const storage = await open()
    await assert.rejects(
      storage.list(''),
      coded(
        'S3_REGION',
        LOCATION,
        'the bucket lies in eu-central-1',
        "'checkpoint.s3.region', 'eu-central-1'",
      ),
    )
    const right = await open({ region: 'eu-central-1' })
    assert.deepEqual(await right.list(''), [])
  })

  test('a redirect to another region is an error, not followed', async () => {
    const { open, double } = await s3Scene()
    const storage = await open()
    double.fault({ action: { kind: 'error', code: 'PermanentRedirect' } })
    await assert.rejects(storage.read('metadata'), coded('S3_REGION', 'PermanentRedirect (HTTP 301)'))
  })

  test('a bucket that does not exist is a wrong location', async () => {
    const { open } = await s3Scene()
    const storage = await open({}, 's3://other/a')
    const asks = [
      () => storage.read('metadata'),
      () => storage.list(''),
      () => storage.create('metadata', bytes('x')),
    ]
    for (const ask of asks) {
      await assert.rejects(
        ask,
        coded('S3_NO_BUCKET', 's3://other/a', "the bucket 'other' of", 'does not exist'),
      )
    }
  })

  test('a store that is not there is given up after seconds, with what to check', async () => {
    const { open, double, endpointUrl } = await s3Scene()
    const storage = await open({ maxRetryTime: 100 })
    await double.close()
    await assert.rejects(
      storage.read('metadata'),
      coded('S3_UNAVAILABLE', new URL(endpointUrl).host, 'AWS_UNREACHABLE', 'ECONNREFUSED'),
    )
  })
})

describe('reads from S3', () => {
  const content = 'content '.repeat(2000)
  const faults: readonly (readonly [string, S3FaultAction])[] = [
    ['cut off in the body', { kind: 'truncate', keep: 5000 }],
    ['cut off at its beginning', { kind: 'truncate', keep: 0 }],
    ['changed on its way', { kind: 'corrupt' }],
    ['that drips', { kind: 'slow', pieces: 1000, everyMs: 5 }],
    ['that stands still', { kind: 'slow', pieces: 2, everyMs: 60_000 }],
    ['of a proxy', { kind: 'html' }],
    ['with 500', { kind: 'error', code: 'InternalError' }],
  ]
  for (const [name, action] of faults) {
    test(`an answer ${name} is asked for again`, async () => {
      const { proven, double, requests } = await s3Scene()
      const storage = await proven({ requestTimeout: 300 })
      // By the storage, for what was put by other means has no checksum.
      await storage.create('offsets/0', bytes(content))
      const fault = double.fault(get(action))
      assert.equal(text(await storage.read('offsets/0')), content)
      assert.equal(fault.fired, 1)
      assert.equal(requests('GetObject', 'offsets/0'), 2)
      double.fault(get(action))
      assert.equal(await readFile((await storage.localFile('offsets/0')) ?? '', 'utf8'), content)
    })
  }

  test('a listing by a proxy or cut off is asked for again, never taken for an empty one', async () => {
    const { proven, double } = await s3Scene()
    const storage = await proven()
    await storage.create('epochs/1', bytes('x'))
    for (const action of [
      { kind: 'html' },
      { kind: 'truncate' },
      { kind: 'reset', applied: false },
    ] as const) {
      const fault = double.fault({ operation: 'ListObjectsV2', action, times: 2 })
      assert.deepEqual(await storage.list('epochs/'), ['epochs/1'])
      assert.equal(fault.fired, 2)
    }
  })

  test('a removal by a proxy is done again', async () => {
    const { proven, double, names } = await s3Scene()
    const storage = await proven()
    await storage.create('epochs/1', bytes('x'))
    double.fault({ operation: 'DeleteObject', action: { kind: 'html' }, times: 1 })
    await storage.remove('epochs/1')
    assert.deepEqual(names(), [])
  })

  test('a listing of thousands is whole and sorted, without what is no file of a checkpoint', async () => {
    const { open, double } = await s3Scene()
    const expected: string[] = []
    for (let n = 0; n < 2500; n++) {
      double.put(BUCKET, `${PREFIX}offsets/${n}`, '')
      expected.push(`offsets/${n}`)
    }
    for (const other of ['', 'offsets/', '.probe/1', 'offsets/.tmp'])
      double.put(BUCKET, `${PREFIX}${other}`, '')
    double.put(BUCKET, 'checkpoints/another/offsets/1', '')
    const storage = await open()
    assert.deepEqual(await storage.list('offsets/'), expected.sort())
    assert.equal(double.calls.length, 3)
    double.put(BUCKET, `${PREFIX}fremde Dateien/ü\u0007+%20&<`, '')
    assert.deepEqual(await storage.list('fremde'), ['fremde Dateien/ü\u0007+%20&<'])
  })

  test('a location at the root of a bucket, or with a slash at its end, is as good', async () => {
    const { open, double } = await s3Scene()
    for (const [location, key] of [
      [`s3://${BUCKET}`, 'metadata'],
      [`s3a://${BUCKET}/x/`, 'x/metadata'],
    ] as const) {
      const storage = await open({}, location)
      assert.equal(await storage.create('metadata', bytes('x')), 'created')
      assert.deepEqual(double.keys(BUCKET, key), [key])
      assert.deepEqual(await storage.list('meta'), ['metadata'])
      assert.equal(storage.location, location)
    }
  })
})
