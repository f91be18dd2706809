import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, SluiceError } from '../../../src/errors.ts'
import type { ServiceErrorCode } from '../../../src/testing/kinesis/service-error.ts'
import { never, openSource, readAll, STREAM, scene } from './scene.ts'

const FIRST = 'shardId-000000000000'

async function failure(work: Promise<unknown>): Promise<SluiceError> {
  try {
    await work
  } catch (error) {
    assert.ok(error instanceof SluiceError, String(error))
    return error
  }
  return assert.fail('did not fail')
}

/** What the service says, and what the user is told. */
const FATAL: readonly (readonly [ServiceErrorCode, ErrorCode, RegExp])[] = [
  [
    'AccessDeniedException',
    'AWS_ACCESS_DENIED',
    /allows kinesis:GetRecords on arn:aws:kinesis:us-east-1:\*:stream\/clicks/,
  ],
  ['KMSAccessDeniedException', 'AWS_KMS_DENIED', /kms:Decrypt/],
  ['KMSNotFoundException', 'AWS_KMS_DENIED', /kms:Decrypt/],
  ['KMSOptInRequired', 'AWS_KMS_DENIED', /kms:Decrypt/],
  ['ExpiredTokenException', 'AWS_CREDENTIALS_REJECTED', /have not expired/],
  ['UnrecognizedClientException', 'AWS_CREDENTIALS_REJECTED', /belong to this account/],
  ['InvalidSignatureException', 'AWS_CREDENTIALS_REJECTED', /clock of this machine/],
  ['ValidationException', 'AWS_REQUEST_REFUSED', /GetRecords/],
]

for (const [said, code, remedy] of FATAL) {
  test(`${said} while reading ends the query with ${code}`, async () => {
    const { double } = scene()
    double.createStream(STREAM)
    double.fault({ operation: 'GetRecords', action: { kind: 'error', code: said } })
    const source = openSource(double)
    const error = await failure(readAll(source, await source.initial()))
    assert.equal(error.code, code)
    for (const name of ['GetRecords', STREAM, FIRST, 'host double', 'region us-east-1', said]) {
      assert.ok(error.message.includes(name), `${error.message} names ${name}`)
    }
    assert.match(error.message, remedy)
    assert.equal(error.retriable, false)
    await source.close()
  })
}

const PASSING: readonly ServiceErrorCode[] = [
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'InternalFailure',
  'ServiceUnavailable',
  'ExpiredIteratorException',
]

for (const code of PASSING) {
  test(`${code} is waited out`, async () => {
    const { double } = scene()
    double.createStream(STREAM)
    double.put(STREAM, { partitionKey: 'k', data: 'x' })
    double.fault({ operation: 'GetRecords', times: 6, action: { kind: 'error', code } })
    const source = openSource(double)
    const { rows } = await readAll(source, await source.initial())
    assert.equal(rows.length, 1)
    assert.equal(source.metrics()['retries'], 6)
    await source.close()
  })
}

test('a failure that stays ends the query after maxRetryTime, with its last cause', async () => {
  const { double, clock } = scene()
  double.createStream(STREAM)
  double.fault({ operation: 'GetRecords', action: { kind: 'error', code: 'InternalFailure' } })
  const source = openSource(double, { maxRetryTime: '30s' })
  const error = await failure(readAll(source, await source.initial()))
  assert.equal(error.code, 'KINESIS_RETRIES_EXHAUSTED')
  assert.match(
    error.message,
    /shardId-000000000000.*kept failing for \d+ s: AWS_UNAVAILABLE.*InternalFailure/,
  )
  assert.ok(clock.monotonic() >= 30_000 && clock.monotonic() <= 60_000)
  await source.close()
})

test('maxRetries ends it sooner', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.fault({ operation: 'GetRecords', action: { kind: 'error', code: 'InternalFailure' } })
  const source = openSource(double, { maxRetries: 3 })
  const error = await failure(readAll(source, await source.initial()))
  assert.equal(error.code, 'KINESIS_RETRIES_EXHAUSTED')
  assert.equal(double.calls.filter((call) => call.operation === 'GetRecords').length, 3)
  await source.close()
})

test('broken connections, cut-off and foreign answers are asked for again', async () => {
  for (const action of [
    { kind: 'reset', applied: true },
    { kind: 'reset', applied: false },
    { kind: 'truncate' },
    { kind: 'html' },
    { kind: 'html', status: 502 },
    { kind: 'hang' },
  ] as const) {
    const { double } = scene()
    double.createStream(STREAM)
    double.put(STREAM, { partitionKey: 'k', data: 'x' })
    double.fault({ operation: 'GetRecords', times: 2, action })
    const source = openSource(double)
    const { rows } = await readAll(source, await source.initial())
    assert.equal(rows.length, 1, action.kind)
    await source.close()
  }
})

test('a start that finds no stream says so at once', async () => {
  const { double, clock } = scene()
  const source = openSource(double)
  const error = await failure(source.initial())
  assert.equal(error.code, 'KINESIS_STREAM_NOT_FOUND')
  assert.match(error.message, /'clicks' does not exist in region us-east-1/)
  assert.equal(clock.monotonic(), 0)
  await source.close()
})

test('a start that gets no answer gives up within a quarter of a minute', async () => {
  for (const action of [
    { kind: 'hang' },
    { kind: 'reset', applied: false },
    { kind: 'error', code: 'LimitExceededException' },
  ] as const) {
    const { double, clock } = scene()
    double.createStream(STREAM)
    double.fault({ action })
    const source = openSource(double)
    const error = await failure(source.initial())
    assert.match(error.code, /^AWS_(TIMEOUT|UNAVAILABLE|THROTTLED)$/)
    assert.match(error.message, /DescribeStreamSummary on stream 'clicks'/)
    assert.ok(clock.monotonic() <= 15_000, `${clock.monotonic()} ms`)
    await source.close()
  }
})

test('a start that fails for a moment succeeds', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.fault({ times: 3, action: { kind: 'error', code: 'InternalFailure' } })
  const source = openSource(double)
  await source.initial()
  await source.close()
})

test('a stream that is being created is waited for', async () => {
  const { double } = scene({ createStreamMs: 3000 })
  double.createStream(STREAM)
  const source = openSource(double)
  await source.initial()
  await source.close()
})

test('a start that failed may be tried again', async () => {
  const { double } = scene()
  const source = openSource(double)
  await failure(source.initial())
  double.createStream(STREAM)
  await source.initial()
  await source.close()
})

test('failures of ListShards while reading keep the old list, and end the query only when they stay', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const source = openSource(double, { describeShardInterval: '0ms', maxRetryTime: '20s' })
  const position = await source.initial()
  double.fault({ operation: 'ListShards', action: { kind: 'error', code: 'LimitExceededException' } })
  double.put(STREAM, { partitionKey: 'k', data: 'x' })
  assert.equal((await readAll(source, position)).rows.length, 1)
  const error = await failure(
    (async () => {
      for (let reads = 0; reads < 1000; reads++) await source.read(position, never)
    })(),
  )
  assert.equal(error.code, 'KINESIS_RETRIES_EXHAUSTED')
  assert.match(error.message, /listing the shards of stream 'clicks'/)
  await source.close()
})

test('rows that were read before a failure come again when reading is tried again', async () => {
  const { double } = scene()
  double.createStream(STREAM, { shards: 2 })
  for (const { id } of double.shards(STREAM))
    double.seed(STREAM, [{ partitionKey: 'k', data: id }], { shardId: id })
  const source = openSource(double)
  const position = await source.initial()
  const denied = double.fault({
    operation: 'GetRecords',
    shardId: 'shardId-000000000001',
    action: { kind: 'error', code: 'AccessDeniedException' },
  })
  assert.equal((await failure(source.read(position, never))).code, 'AWS_ACCESS_DENIED')
  denied.remove()
  assert.equal((await readAll(source, position)).rows.length, 2)
  await source.close()
})

test('a query that may not list shards says so', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  double.fault({ operation: 'ListShards', action: { kind: 'error', code: 'AccessDeniedException' } })
  const source = openSource(double)
  const error = await failure(source.initial())
  assert.equal(error.code, 'AWS_ACCESS_DENIED')
  assert.match(error.message, /kinesis:ListShards/)
  await source.close()
})

test('a closed source answers with an error of its own', async () => {
  const { double } = scene()
  double.createStream(STREAM)
  const source = openSource(double)
  const position = await source.initial()
  await source.close()
  assert.equal((await failure(source.initial())).code, 'KINESIS_CLOSED')
  assert.equal((await failure(source.reread({ start: position, end: position }))).code, 'KINESIS_CLOSED')
  assert.deepEqual(await source.read(position, never), { drained: false })
})
