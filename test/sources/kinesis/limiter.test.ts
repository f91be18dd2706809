import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../../../src/backoff.ts'
import { ShardLimiter, shareLimiter } from '../../../src/sources/kinesis/limiter.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const MIB = 1024 * 1024
const rate = { intervalMs: 250, bytesPerSecond: 2 * MIB }

test('calls to a shard are spaced evenly, without bursts', async () => {
  const clock = new ManualClock()
  const limiter = new ShardLimiter(clock)
  assert.equal(limiter.waitMs(rate), 0)
  limiter.called()
  assert.equal(limiter.waitMs(rate), 250)
  await clock.advance(100)
  assert.equal(limiter.waitMs(rate), 150)
  await clock.advance(10_000)
  assert.equal(limiter.waitMs(rate), 0)
  limiter.called()
  assert.equal(limiter.waitMs(rate), 250, 'a long silence earns no second call')
})

test('an answer is paid for with the time it takes at two mebibytes a second', async () => {
  const clock = new ManualClock()
  const limiter = new ShardLimiter(clock)
  limiter.called()
  limiter.answered(1 * MIB, rate)
  assert.equal(limiter.waitMs(rate), 500)
  await clock.advance(500)
  limiter.called()
  limiter.answered(1024, rate)
  assert.equal(limiter.waitMs(rate), 250)
})

test('a full answer of ten mebibytes is followed by a pause of five seconds', async () => {
  const clock = new ManualClock()
  const limiter = new ShardLimiter(clock)
  limiter.called()
  // It came late: the service counts from the answer.
  await clock.advance(3000)
  limiter.answered(10 * MIB, rate)
  assert.equal(limiter.waitMs(rate), 5000)
})

test('all queries of a process on one stream share its limiters, until the last has gone', () => {
  const clock = new ManualClock()
  const one = shareLimiter(clock, 'stream')
  const other = shareLimiter(clock, 'stream')
  const elsewhere = shareLimiter(clock, 'another stream')
  one.limiter.shard('a').called()
  assert.equal(other.limiter.shard('a').waitMs(rate), 250)
  assert.equal(elsewhere.limiter.shard('a').waitMs(rate), 0)
  one.release()
  one.release()
  assert.equal(shareLimiter(clock, 'stream').limiter, other.limiter, 'releasing twice counts once')
})

const retry = { firstMs: 200, ceilingMs: 10_000, giveUpMs: 300_000, attempts: Number.POSITIVE_INFINITY }

test('waits after failures are random below a ceiling that doubles up to its limit', async () => {
  const clock = new ManualClock()
  const backoff = new Backoff(clock, retry)
  assert.equal(backoff.waitMs, 0)
  for (const ceiling of [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    assert.equal(backoff.failed(), undefined)
    assert.ok(backoff.waitMs <= ceiling, `${backoff.waitMs} <= ${ceiling}`)
  }
  await clock.advance(10_000)
  assert.equal(backoff.waitMs, 0)
})

test('gives up after trying for long enough; silence of our own does not count', async () => {
  const clock = new ManualClock()
  const backoff = new Backoff(clock, retry)
  for (let i = 0; i < 5; i++) {
    assert.equal(backoff.failed(), undefined)
    await clock.advance(3_600_000)
  }
  assert.deepEqual(backoff.failed(), { exhaustedAfterSeconds: 300 })
})

test('gives up after a number of attempts, when one is set, and starts anew after a success', () => {
  const backoff = new Backoff(new ManualClock(), { ...retry, attempts: 3 })
  assert.equal(backoff.failed(), undefined)
  assert.equal(backoff.failed(), undefined)
  backoff.succeeded()
  assert.equal(backoff.failed(), undefined)
  assert.equal(backoff.failed(), undefined)
  assert.ok(backoff.failed())
})
