import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type SeededRandom, seededRandom } from '../../src/testing/seeded-random.ts'
import { inParallel, killAt, randomPairs } from './matrix.ts'
import { CRASH_QUERIES, type QueryName } from './queries.ts'
import { Stage } from './stage.ts'

/** A sample of the crash matrix; `npm run crash` plays all of it. */
const SINGLE_KILLS = 1
const WORKERS = 2
const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`

describe('a query killed with SIGKILL', () => {
  let stage: Stage
  let random: SeededRandom
  before(async () => {
    random = seededRandom(seed)
    stage = await Stage.open(random)
  })
  after(() => stage.close())

  for (const query of Object.keys(CRASH_QUERIES) as QueryName[]) {
    test(`at any step goes on exactly: ${query}`, async (t) => {
      t.diagnostic(`SLUICE_SEED=${seed}`)
      const stretch = await stage.firstBatches(query)
      assert.ok(stretch.points.length > 80, 'the failpoints are where they were')
      const singles = Array.from({ length: SINGLE_KILLS }, () => [random.pick(stretch.points)])
      let killed = 0
      await inParallel([...singles, ...randomPairs(stretch, 1, random)], WORKERS, async (points) => {
        const count = await killAt(stretch, points)
        killed += count
      })
      assert.ok(killed >= SINGLE_KILLS, `only ${killed} processes met their point`)
    })
  }
})
