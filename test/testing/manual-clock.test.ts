import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../src/testing/manual-clock.ts'

test('time passes only when told', async () => {
  const clock = new ManualClock({ start: 1000 })
  let woken = false
  const sleep = clock.sleep(50).then(() => {
    woken = true
  })
  await clock.advance(49)
  assert.deepEqual([clock.now(), clock.monotonic(), woken, clock.sleeping], [1049, 49, false, 1])
  await clock.advance(1)
  assert.deepEqual([clock.now(), clock.monotonic(), woken, clock.sleeping], [1050, 50, true, 0])
  await sleep
})

test('sleepers wake in the order of their due times, each seeing its own', async () => {
  const clock = new ManualClock({ start: 0 })
  const seen: [string, number][] = []
  const sleeper = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms)
    seen.push([name, clock.now()])
  }
  const all = [sleeper('late', 30), sleeper('early', 10), sleeper('early too', 10), sleeper('middle', 20)]
  await clock.advance(100)
  await Promise.all(all)
  assert.deepEqual(seen, [
    ['early', 10],
    ['early too', 10],
    ['middle', 20],
    ['late', 30],
  ])
  assert.equal(clock.now(), 100)
})

test('code that sleeps again within the span is woken again', async () => {
  const clock = new ManualClock({ start: 0 })
  let rounds = 0
  const loop = async (): Promise<void> => {
    while (rounds < 5) {
      await clock.sleep(10)
      rounds++
    }
  }
  const running = loop()
  await clock.advance(35)
  assert.equal(rounds, 3)
  await clock.advance(15)
  assert.equal(rounds, 5)
  await running
})

test('an aborted sleep ends early and never rejects', async () => {
  const clock = new ManualClock()
  const abort = new AbortController()
  const sleep = clock.sleep(1000, abort.signal)
  abort.abort()
  await sleep
  assert.equal(clock.sleeping, 0)
  await clock.sleep(1000, abort.signal)
})

test('the wall clock may jump without monotonic time noticing', async () => {
  const clock = new ManualClock({ start: 10_000 })
  clock.jump(-5000)
  await clock.advance(10)
  assert.deepEqual([clock.now(), clock.monotonic()], [5010, 10])
})

test('an idle clock runs a sleeping loop at full speed', async () => {
  const clock = new ManualClock({ start: 0, passes: 'idle' })
  for (let hour = 0; hour < 24; hour++) await clock.sleep(3_600_000)
  assert.equal(clock.now(), 24 * 3_600_000)
})

test('the same seed gives the same chance, another seed another', () => {
  const draws = (seed: number): unknown[] => {
    const clock = new ManualClock({ seed })
    return [clock.random(), clock.random(), clock.uuid()]
  }
  assert.deepEqual(draws(7), draws(7))
  assert.notDeepEqual(draws(7), draws(8))
  assert.match(new ManualClock().uuid(), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
})
