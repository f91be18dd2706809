import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Batch, Position } from '../../src/batch.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import { rateFormat } from '../../src/sources/rate.ts'
import type { Source } from '../../src/sources/source.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { forSeeds } from '../support/seeds.ts'

const never = new AbortController().signal
const START = Date.UTC(2026, 0, 1)

function open(clock: ManualClock, given: Readonly<Record<string, OptionValue>> = {}): Source {
  return rateFormat.open({ options: new Map(Object.entries(given)), clock, log: silentLogger })
}

/** Values, and milliseconds after the start. */
function rowsOf(batch: Batch | undefined): [value: number, ms: number][] {
  return (batch?.records ?? []).flatMap((records) =>
    [...records].map(({ value, timestamp }) => [Number(value), timestamp - START] as [number, number]),
  )
}

async function read(source: Source, from: Position): Promise<{ rows: [number, number][]; end: Position }> {
  const { batch } = await source.read(from, never)
  return { rows: rowsOf(batch), end: batch?.range.end ?? from }
}

describe('the rate source', () => {
  test('gives a row a second, the first at once', async () => {
    const clock = new ManualClock({ start: START })
    const source = open(clock)
    const initial = await source.initial()
    const first = await read(source, initial)
    assert.deepEqual(first.rows, [[0, 0]])
    assert.deepEqual(await source.read(first.end, never), { drained: true })
    clock.jump(2999)
    const { rows, end } = await read(source, first.end)
    assert.deepEqual(rows, [
      [1, 1000],
      [2, 2000],
    ])
    clock.jump(1)
    assert.deepEqual((await read(source, end)).rows, [[3, 3000]])
  })

  test('spreads the rows of a second over it', async () => {
    const clock = new ManualClock({ start: START })
    const source = open(clock, { rowsPerSecond: 4 })
    const initial = await source.initial()
    clock.jump(1100)
    assert.deepEqual(
      (await read(source, initial)).rows.map(([, ms]) => ms),
      [0, 250, 500, 750, 1000],
    )
  })

  test('gets faster while it ramps up', async () => {
    const clock = new ManualClock({ start: START })
    const source = open(clock, { rowsPerSecond: 100, rampUpTime: '10s' })
    const initial = await source.initial()
    clock.jump(20_000)
    const { rows } = await read(source, initial)
    const inSecond = (second: number) => rows.filter(([, ms]) => Math.floor(ms / 1000) === second).length
    // The speed at time t is 10 t rows a second, so t seconds bring 5 t² rows.
    assert.deepEqual([0, 1, 2, 9].map(inSecond), [5, 15, 25, 95])
    assert.deepEqual([10, 11, 19].map(inSecond), [100, 100, 100])
  })

  test('has exactly those rows at any time that are due by then', () =>
    forSeeds(20, async (random) => {
      const clock = new ManualClock({ start: START })
      const rowsPerSecond = 1 + random.below(1000)
      const source = open(clock, { rowsPerSecond, rampUpTime: random.below(5000), batchRows: 1_000_000 })
      const initial = await source.initial()
      clock.jump(random.below(20_000))
      const elapsed = clock.now() - START
      const { batch } = await source.read(initial, never)
      const rows = rowsOf(batch)
      assert.deepEqual(
        rows.map(([value]) => value),
        rows.map((_, index) => index),
      )
      const times = rows.map(([, ms]) => ms)
      assert.ok(times.every((ms, index) => ms <= elapsed && ms >= (times[index - 1] ?? 0)))
      const end = batch?.range.end as { next: number }
      const next = await source.reread({ start: end, end: { ...end, next: end.next + 1 } })
      assert.ok(rowsOf(next)[0]![1] > elapsed)
    }))

  test('catches up after a restart, in bounded batches, as if it had never stopped', async () => {
    const clock = new ManualClock({ start: START })
    const options = { rowsPerSecond: 10, batchRows: 15 }
    const first = open(clock, options)
    const { end } = await read(first, await first.initial())
    clock.jump(2000)
    const second = open(clock, options)
    await second.resume(end)
    const one = await second.read(end, never)
    assert.deepEqual([one.batch?.rows, one.drained], [15, false])
    const two = await second.read(one.batch!.range.end, never)
    assert.deepEqual([two.batch?.rows, two.drained], [5, true])
    assert.deepEqual(rowsOf(two.batch).at(-1), [20, 2000])
  })

  test('waits when the clock is set back', async () => {
    const clock = new ManualClock({ start: START })
    const source = open(clock)
    const initial = await source.initial()
    clock.jump(5000)
    const { end } = await read(source, initial)
    clock.jump(-10_000)
    assert.deepEqual(await source.read(end, never), { drained: true })
    clock.jump(11_000)
    assert.deepEqual((await read(source, end)).rows, [[6, 6000]])
  })

  test('refuses to go on at another speed, whose rows would have other times', async () => {
    const clock = new ManualClock()
    const position = await open(clock, { rowsPerSecond: 5 }).initial()
    await open(clock, { rowsPerSecond: 5, batchRows: 3 }).resume(position)
    await assert.rejects(open(clock, { rowsPerSecond: 6 }).resume(position), {
      code: 'GENERATED_POSITION',
      message: /rowsPerSecond was 5 and is 6/,
    })
    await assert.rejects(open(clock).resume({ version: 1, origin: {}, next: 0 }), {
      code: 'GENERATED_POSITION',
    })
  })

  test('has no partitions', () => {
    assert.throws(() => open(new ManualClock(), { numPartitions: 4 }), { code: 'OPTION_UNKNOWN' })
    assert.throws(() => open(new ManualClock(), { rowsPerSecond: 0 }), { code: 'OPTION_INVALID' })
  })
})
