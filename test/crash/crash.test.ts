import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type SeededRandom, seededRandom } from '../../src/testing/seeded-random.ts'
import { killAt, randomPairs } from './matrix.ts'
import { SAMPLE } from './scenes.ts'
import { Stage } from './stage.ts'

/** Without one of them a step would no longer be tried, and nobody would notice. */
const PASSED_BY_ALL = [
  ...['checkpoint.taken', 'checkpoint.recovered', 'checkpoint.tidied', 'checkpoint.released'],
  ...['state.loaded', 'source.asked', 'source.pinned', 'query.closing'],
  ...['batch.read', 'batch.logged', 'batch.computed', 'batch.held', 'batch.written'],
  ...['batch.saved', 'batch.committed', 'batch.done'],
]
const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`

describe('a query killed with SIGKILL, and again while it recovers', { concurrency: 2 }, () => {
  let stage: Stage
  let random: SeededRandom
  before(async () => {
    random = seededRandom(seed)
    stage = await Stage.open(random)
  })
  after(() => stage.close())

  for (const scene of SAMPLE) {
    test(`goes on exactly: ${scene.query} on ${scene.store} into ${scene.sink}`, async (t) => {
      t.diagnostic(`SLUICE_SEED=${seed}`)
      const stretch = await stage.firstBatches(scene)
      const names = new Set(stretch.trace)
      for (const name of PASSED_BY_ALL) assert.ok(names.has(name), `${name} is where it was`)
      const [pair = []] = randomPairs(stretch, 1, random)
      assert.ok((await killAt(stretch, pair)) >= 1, 'the first process met its point')
    })
  }
})
