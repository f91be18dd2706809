import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { Fault } from '../../../src/testing/kinesis/fault.ts'
import type { OutputOf } from '../../../src/testing/kinesis/operations.ts'
import type { ServiceErrorCode } from '../../../src/testing/kinesis/service-error.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const FIRST = 'shardId-000000000000'
const SECOND = 'shardId-000000000001'

function scene(): { clock: ManualClock; double: KinesisDouble } {
  const clock = new ManualClock()
  const double = new KinesisDouble({ clock })
  double.createStream('s', { shards: 2 })
  return { clock, double }
}

async function iteratorOf(double: KinesisDouble, shardId = FIRST): Promise<string> {
  const ask = { StreamName: 's', ShardId: shardId, ShardIteratorType: 'TRIM_HORIZON' } as const
  return (await double.handle('GetShardIterator', ask)).ShardIterator ?? ''
}

/** `ok` or the code, for so many calls of GetRecords. */
async function outcomes(double: KinesisDouble, calls: number, shardId = FIRST): Promise<string[]> {
  const ShardIterator = await iteratorOf(double, shardId)
  const seen: string[] = []
  for (let i = 0; i < calls; i++) {
    const asked = double.handle('GetRecords', { ShardIterator })
    seen.push(
      await asked.then(
        () => 'ok',
        (error: Error) => error.name,
      ),
    )
  }
  return seen
}

const throttled = { kind: 'error', code: 'ProvisionedThroughputExceededException' } as const
const PTE = throttled.code

describe('which calls a fault strikes', () => {
  const cases: [string, Omit<Fault, 'action'>, string[]][] = [
    ['all', {}, [PTE, PTE, PTE, PTE]],
    ['the n-th', { nth: 2 }, ['ok', PTE, 'ok', 'ok']],
    ['every n-th', { every: 2 }, ['ok', PTE, 'ok', PTE]],
    ['so many', { times: 3 }, [PTE, PTE, PTE, 'ok']],
    ['every n-th, so many', { every: 2, times: 1 }, ['ok', PTE, 'ok', 'ok']],
    ['its stream', { stream: 's' }, [PTE, PTE, PTE, PTE]],
    ['no other stream', { stream: 't' }, ['ok', 'ok', 'ok', 'ok']],
    ['no other shard', { shardId: SECOND }, ['ok', 'ok', 'ok', 'ok']],
  ]
  for (const [name, where, expected] of cases) {
    test(name, async () => {
      const { double } = scene()
      const fault = double.fault({ operation: 'GetRecords', ...where, action: throttled })
      assert.deepEqual(await outcomes(double, 4), expected)
      assert.equal(fault.fired, expected.filter((outcome) => outcome !== 'ok').length)
    })
  }

  test('some, by chance', async () => {
    const { double } = scene()
    double.fault({ operation: 'GetRecords', chance: 0.3, action: throttled })
    const struck = (await outcomes(double, 200)).filter((outcome) => outcome === PTE).length
    assert.ok(struck > 30 && struck < 90, String(struck))
  })

  test('none any more once removed or cleared', async () => {
    const { double } = scene()
    const fault = double.fault({ operation: 'GetRecords', action: throttled })
    fault.remove()
    double.fault({ operation: 'GetRecords', action: throttled })
    double.clearFaults()
    assert.deepEqual(await outcomes(double, 2), ['ok', 'ok'])
  })
})

describe('what a fault does in-process', () => {
  test('every code the service knows can be thrown, with its words', async () => {
    const codes: [ServiceErrorCode, number, RegExp][] = [
      [
        'AccessDeniedException',
        400,
        /not authorized to perform: kinesis:GetRecords on resource: arn:aws:kinesis:.*\/s/,
      ],
      ['ExpiredTokenException', 400, /security token included in the request is expired/],
      ['InternalFailure', 500, /./],
      ['KMSAccessDeniedException', 400, /kms:Decrypt/],
      ['KMSDisabledException', 400, /is disabled/],
      ['LimitExceededException', 400, /Rate exceeded/],
      [
        'ProvisionedThroughputExceededException',
        400,
        /Rate exceeded for shard shardId-000000000000 in stream s/,
      ],
      ['ResourceNotFoundException', 400, /does not exist/],
      ['ServiceUnavailable', 503, /./],
    ]
    for (const [code, status, message] of codes) {
      const { double } = scene()
      double.fault({ operation: 'GetRecords', action: { kind: 'error', code } })
      const ShardIterator = await iteratorOf(double)
      await assert.rejects(
        double.handle('GetRecords', { ShardIterator }),
        (error: Error & { $metadata: object }) => {
          assert.equal(error.name, code)
          assert.match(error.message, message)
          assert.deepEqual(error.$metadata, { httpStatusCode: status })
          return true
        },
      )
    }
  })

  test('a hang lasts until the caller gives up or the double closes', async () => {
    const { double } = scene()
    double.fault({ operation: 'ListShards', action: { kind: 'hang' } })
    const abort = new AbortController()
    const asked = double.handle('ListShards', { StreamName: 's' }, { signal: abort.signal })
    const other = double.handle('ListShards', { StreamName: 's' })
    abort.abort()
    await assert.rejects(asked, { code: 'ABORT_ERR' })
    await double.close()
    await assert.rejects(other, { code: 'ABORT_ERR' })
  })

  test('a reset comes before the operation is applied, or after', async () => {
    for (const applied of [false, true]) {
      const { double } = scene()
      double.fault({ operation: 'PutRecord', action: { kind: 'reset', applied } })
      const put = { StreamName: 's', PartitionKey: 'k', ExplicitHashKey: '0', Data: Buffer.from('x') }
      await assert.rejects(double.handle('PutRecord', put), { code: 'ECONNRESET' })
      assert.equal(double.records('s', FIRST).length, applied ? 1 : 0)
    }
  })

  test('a delay holds the answer for so long by the clock, and combines with a refusal', async () => {
    const { clock, double } = scene()
    double.fault({ operation: 'ListShards', action: { kind: 'delay', ms: 500 } })
    double.fault({ operation: 'ListShards', nth: 2, action: throttled })
    for (const expected of ['ok', PTE]) {
      let outcome = 'none'
      const asked = double.handle('ListShards', { StreamName: 's' })
      const settled = asked
        .then(
          () => 'ok',
          (error: Error) => error.name,
        )
        .then((how) => {
          outcome = how
        })
      await clock.advance(499)
      assert.equal(outcome, 'none')
      await clock.advance(1)
      await settled
      assert.equal(outcome, expected)
    }
  })

  test('empty answers hold back records, and their iterators stand where the first one did but live on', async () => {
    const { clock, double } = scene()
    double.put('s', { explicitHashKey: '0', data: 'x' })
    double.fault({ operation: 'GetRecords', times: 2, action: { kind: 'empty', millisBehindLatest: 60_000 } })
    let next: string | undefined = await iteratorOf(double)
    const seen: [number, number | undefined][] = []
    for (let i = 0; i < 3; i++) {
      const answer: OutputOf<'GetRecords'> = await double.handle('GetRecords', { ShardIterator: next })
      seen.push([answer.Records?.length ?? 0, answer.MillisBehindLatest])
      next = answer.NextShardIterator
      await clock.advance(200_000)
    }
    assert.deepEqual(seen, [
      [0, 60_000],
      [0, 60_000],
      [1, 0],
    ])
  })

  test('a malformed end has neither an iterator nor children', async () => {
    const { double } = scene()
    double.fault({ operation: 'GetRecords', times: 1, action: { kind: 'malformed-end' } })
    const ShardIterator = await iteratorOf(double)
    const answer = await double.handle('GetRecords', { ShardIterator })
    assert.deepEqual(
      [answer.NextShardIterator, answer.ChildShards, answer.Records],
      [undefined, undefined, []],
    )
  })

  test('some entries of a put fail, the others are put', async () => {
    const { double } = scene()
    double.fault({
      operation: 'PutRecords',
      times: 1,
      action: { kind: 'reject-entries', every: 2, code: PTE },
    })
    const Records = ['1', '2', '3', '4'].map((data) => ({
      PartitionKey: 'k',
      ExplicitHashKey: '0',
      Data: Buffer.from(data),
    }))
    const { FailedRecordCount, Records: results } = await double.handle('PutRecords', {
      StreamName: 's',
      Records,
    })
    assert.equal(FailedRecordCount, 2)
    assert.deepEqual(
      results?.map((result) => result.ErrorCode),
      [undefined, PTE, undefined, PTE],
    )
    assert.deepEqual(
      double.records('s', FIRST).map((record) => String(record.Data)),
      ['1', '3'],
    )
  })

  test('an answer can be edited', async () => {
    const { double } = scene()
    const change = (answer: object): object => ({ ...answer, Shards: [] })
    double.fault({ operation: 'ListShards', times: 1, action: { kind: 'edit', change } })
    assert.deepEqual(await double.handle('ListShards', { StreamName: 's' }), { Shards: [] })
  })
})

describe('what a fault does over HTTP', () => {
  const double = new KinesisDouble()
  let url = ''
  before(async () => {
    double.createStream('s')
    url = (await double.listen()).endpointUrl
  })
  after(() => double.close())

  const ask = (signal?: AbortSignal): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'Kinesis_20131202.ListShards',
      },
      body: JSON.stringify({ StreamName: 's' }),
      ...(signal ? { signal } : {}),
    })

  test('a refusal has the status, the type and the words of the service', async () => {
    double.fault({ times: 1, action: { kind: 'error', code: 'ServiceUnavailable', message: 'slow down' } })
    const response = await ask()
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), { __type: 'ServiceUnavailable', message: 'slow down' })
  })

  test('a page instead of an answer', async () => {
    double.fault({ times: 1, action: { kind: 'html', status: 403 } })
    const response = await ask()
    assert.equal(response.status, 403)
    assert.equal(response.headers.get('content-type'), 'text/html')
    assert.match(await response.text(), /^<html>/)
  })

  test('a broken connection', async () => {
    double.fault({ times: 1, action: { kind: 'reset', applied: false } })
    await assert.rejects(
      ask(),
      (error: Error) =>
        (error.cause as { code?: string }).code === 'ECONNRESET' || /socket/.test(String(error.cause)),
    )
  })

  test('a body that ends too early', async () => {
    double.fault({ times: 1, action: { kind: 'truncate', keep: 10 } })
    const response = await ask()
    assert.equal(response.status, 200)
    await assert.rejects(response.text())
  })

  test('silence', async () => {
    double.fault({ times: 1, action: { kind: 'hang' } })
    await assert.rejects(ask(AbortSignal.timeout(50)), { name: 'TimeoutError' })
    assert.equal((await ask()).status, 200)
  })

  test('all of it is in the log of calls', () => {
    assert.deepEqual(
      double.calls.map((call) => call.outcome),
      ['ServiceUnavailable', 'html', 'reset', 'truncate', 'hang', 'ok'],
    )
    assert.ok(
      double.calls.every(
        (call) => call.operation === 'ListShards' && call.stream === 's' && call.format === 'json',
      ),
    )
  })
})
