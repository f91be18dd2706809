import assert from 'node:assert/strict'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { everyHit, stepsOfSink } from './points.ts'
import { CRASH_SINKS } from './sinks.ts'
import { type Point, type Setting, Trial } from './trial.ts'

/** A stretch of a query's life in which every failpoint is to kill it once. */
export interface Stretch {
  readonly setting: Setting
  /** What it begins with; absent for a query that starts for the first time. */
  readonly from: Trial | undefined
  /** The failpoints that a process passes which nobody kills, in their order. */
  readonly trace: readonly string[]
  /** Where it is to be killed. */
  readonly points: readonly Point[]
}

/** Runs the stretch once without a kill, checks what came out of it, and lists where it is to be killed. */
export async function stretch(setting: Setting, from?: Trial): Promise<Stretch> {
  const trial = new Trial(setting, from)
  try {
    const trace = await trial.trace()
    await trial.assertExact()
    for (const name of CRASH_SINKS[setting.sink].passes) assert.ok(trace.includes(name), `${name} is passed`)
    // A function that writes files stands for all sinks where the checkpoint and the engine are killed.
    const points = setting.sink === 'foreachBatch' ? everyHit(trace) : stepsOfSink(trace)
    return { setting, from, trace, points }
  } finally {
    trial.remove()
  }
}

/**
 * Kills one process after the other, each at its point, then lets one come to its end, which must be exact.
 *
 * @returns how many of them were killed; a process that comes to its end first has not met its point
 */
export async function killAt({ setting, from }: Stretch, points: readonly Point[]): Promise<number> {
  const trial = new Trial(setting, from)
  const path = `${setting.query}: ${points.map(({ name, hit }) => `${name}:${hit}`).join(', then ')}`
  try {
    let killed = 0
    for (const point of points) if (await trial.die(point)) killed++
    await trial.finish()
    await trial.assertExact()
    return killed
  } catch (error) {
    throw new Error(`not exact after a kill at ${path}: ${String(error)}`, { cause: error })
  } finally {
    trial.remove()
  }
}

/** So many sequences of two kills: the second process dies while it recovers from the death of the first, or later. */
export function randomPairs({ points }: Stretch, count: number, random: SeededRandom): readonly Point[][] {
  return Array.from({ length: count }, () => [random.pick(points), random.pick(points)])
}

/** Works on all items, so many at a time. The first failure ends it. */
export async function inParallel<T>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const failed = new AbortController()
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let item = queue.shift(); item !== undefined && !failed.signal.aborted; item = queue.shift()) {
        await work(item).catch((error: unknown) => {
          failed.abort()
          throw error
        })
      }
    }),
  )
}
