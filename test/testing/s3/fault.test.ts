import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { S3Fault, S3FaultAction } from '../../../src/testing/s3/fault.ts'
import { BUCKET, scene } from './scene.ts'

const slowDown: S3FaultAction = { kind: 'error', code: 'SlowDown' }

describe('which calls a fault of S3 strikes', () => {
  const cases: readonly (readonly [string, Omit<S3Fault, 'action'>, readonly boolean[]])[] = [
    ['all', {}, [true, true, true, true]],
    ['the n-th', { nth: 2 }, [false, true, false, false]],
    ['every n-th', { every: 2 }, [false, true, false, true]],
    ['so many', { times: 3 }, [true, true, true, false]],
    ['its key', { key: 'a/2' }, [false, false, true, false]],
    ['what lies under a prefix', { under: 'a/' }, [true, true, true, true]],
    ['no other operation', { operation: 'PutObject' }, [false, false, false, false]],
    ['no other bucket', { bucket: 'other' }, [false, false, false, false]],
  ]
  for (const [name, where, expected] of cases) {
    test(name, async () => {
      const { double, get } = await scene()
      for (let i = 0; i < 4; i++) double.put(BUCKET, `a/${i}`, 'here')
      const fault = double.fault({ ...where, action: slowDown })
      const struck: boolean[] = []
      for (let i = 0; i < 4; i++) struck.push((await get(`a/${i}`)) === '!SlowDown')
      assert.deepEqual(struck, expected)
      assert.equal(fault.fired, expected.filter(Boolean).length)
    })
  }

  test('some, by chance, and none any more once removed or cleared', async () => {
    const { double, get } = await scene({ clock: new ManualClock() })
    double.put(BUCKET, 'x', 'here')
    const fault = double.fault({ chance: 0.5, action: slowDown })
    const outcomes = []
    for (let i = 0; i < 60; i++) outcomes.push(await get('x'))
    assert.ok(fault.fired > 10 && fault.fired < 50, String(fault.fired))
    assert.equal(outcomes.filter((each) => each === '!SlowDown').length, fault.fired)
    fault.remove()
    double.fault({ action: slowDown })
    double.clearFaults()
    assert.equal(await get('x'), 'here')
  })
})

describe('what a fault of S3 does', () => {
  const writes: readonly (readonly [string, S3FaultAction, outcome: string, stored: boolean])[] = [
    ['an error comes before the write', { kind: 'error', code: 'InternalError' }, '!InternalError', false],
    ['or after it', { kind: 'error', code: 'InternalError', applied: true }, '!InternalError', true],
    [
      'with another status and words',
      { kind: 'error', code: 'ExpiredToken', status: 403 },
      '!ExpiredToken',
      false,
    ],
    ['a connection breaks before the write', { kind: 'reset', applied: false }, '!ECONNRESET', false],
    ['or after it', { kind: 'reset', applied: true }, '!ECONNRESET', true],
    ['a proxy answers with a page', { kind: 'html' }, 'ok', false],
    ['or refuses with a page', { kind: 'html', status: 403 }, '!403', false],
  ]
  for (const [name, action, outcome, stored] of writes) {
    test(`${name}: ${JSON.stringify(action)}`, async () => {
      const { double, put } = await scene()
      double.fault({ action, times: 1 })
      assert.equal(await put('x', 'hello'), outcome)
      assert.equal(double.object(BUCKET, 'x') !== undefined, stored)
    })
  }

  test('an answer is cut off, or changed on its way', async () => {
    const { double, get } = await scene()
    double.put(BUCKET, 'x', 'content '.repeat(20_000))
    double.fault({ action: { kind: 'truncate', keep: 70_000 }, times: 1 })
    assert.equal(await get('x'), '!ECONNRESET')
    double.fault({ action: { kind: 'corrupt' }, times: 1 })
    const changed = await get('x')
    assert.equal(changed.length, 160_000)
    assert.notEqual(changed, 'content '.repeat(20_000))
  })

  test('a hang ends with the client or with the double', async () => {
    const { double, client, put } = await scene()
    double.fault({ action: { kind: 'hang', applied: true } })
    const hanging = put('x', 'hello')
    while (double.calls.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(double.keys(BUCKET), ['x'])
    client.destroy()
    await double.close()
    assert.match(await hanging, /^!/)
  })

  test('a delay and a slow body take time of the clock of the double', async () => {
    const clock = new ManualClock({ passes: 'idle' })
    const { double, get } = await scene({ clock })
    double.put(BUCKET, 'x', '0123456789')
    const startMs = clock.monotonic()
    double.fault({ action: { kind: 'delay', ms: 700 }, times: 1 })
    double.fault({ action: { kind: 'slow', everyMs: 100, pieces: 5 }, times: 1 })
    assert.equal(await get('x'), '0123456789')
    assert.equal(clock.monotonic() - startMs, 1200)
  })

  test('something happens while a request is under way', async () => {
    const { double, put } = await scene()
    const seen: (boolean | string)[] = []
    const look = () => void seen.push(double.object(BUCKET, 'x') !== undefined)
    double.fault({ action: { kind: 'meanwhile', applied: false, run: look } })
    double.fault({ action: { kind: 'meanwhile', applied: true, run: look } })
    seen.push(await put('x', 'hello'))
    assert.deepEqual(seen, [false, true, 'ok'])
  })
})
