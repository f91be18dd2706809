import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { forSeeds } from '../support/seeds.ts'
import { readBatches } from './batch-files.ts'
import type { Life } from './life.ts'
import { SLEEPS } from './sleeps.ts'
import { Stage } from './stage.ts'
import { Trial } from './trial.ts'

const PUT = 20

type Place = Pick<(typeof SLEEPS)[number], 'name' | 'hit' | 'store'>

describe('a query that was suspended and replaced', {
  skip: !existsSync('/proc/self/stat'),
  concurrency: 2,
}, () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open(seededRandom('zombie'))
  })
  after(() => stage.close())

  for (const { name, hit, when, store, isInEveryRun } of SLEEPS) {
    const skip = !isInEveryRun && process.env['SLUICE_SEEDS'] === undefined && 'asked for by SLUICE_SEEDS'
    const title = `${when} is fenced when it wakes, and leaves no trace in sink or checkpoint on ${store}`
    test(title, { skip }, () => forSeeds(1, (_, seed) => assertFenced(stage, { name, hit, store }, seed)))
  }
})

async function assertFenced(stage: Stage, { name, hit, store }: Place, seed: string): Promise<void> {
  const setting = stage.setting('aggregate', store, `zombie-${name}-${store}-${seed}`)
  const trial = new Trial(setting)
  for (let batch = 0; batch < 3; batch++) await setting.stream.put(PUT)
  const first = trial.start({ SLUICE_FAILPOINT: `${name}:${hit}:stop` })
  let second: Life | undefined
  try {
    await until(() => stateOf(first.pid) !== 'running')
    assert.equal(stateOf(first.pid), 'stopped')
    second = trial.start()
    await second.started
    await untilCommitted(trial)
    const before = { sink: readBatches(trial.output), names: lastingNames(trial) }
    first.signal('SIGCONT')
    const { by, stderr } = await first.ended
    assert.match(stderr, /^CHECKPOINT_FENCED\n/)
    assert.equal(by, 1)
    assert.deepEqual(readBatches(trial.output), before.sink)
    assert.deepEqual(lastingNames(trial), before.names)

    await setting.stream.put(PUT)
    await untilCommitted(trial)
    second.signal('SIGTERM')
    assert.deepEqual(await second.ended, { by: 0, stderr: '' })
    await trial.finish()
    await trial.assertExact()
  } finally {
    for (const life of [first, second]) {
      life?.signal('SIGKILL')
      await life?.ended
    }
    trial.remove()
  }
}

/** As the kernel has it: T is a process that was stopped, Z one that has ended (proc(5)). */
function stateOf(pid: number): 'running' | 'stopped' | 'ended' {
  if (!existsSync(`/proc/${pid}`)) return 'ended'
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const letter = text[text.lastIndexOf(')') + 2]
  return letter === 'T' ? 'stopped' : letter === 'Z' ? 'ended' : 'running'
}

/** Beats come and go while the second query lives. */
function lastingNames(trial: Trial): readonly string[] {
  return trial.checkpoint.names().filter((name) => !name.includes('.beat.'))
}

/** Waits until all that was put is in the sink, and after that until the checkpoint knows of the last of it. */
async function untilCommitted(trial: Trial): Promise<void> {
  await until(() =>
    trial.assertExact().then(
      () => true,
      (error: unknown) => {
        if (error instanceof assert.AssertionError) return false
        throw error
      },
    ),
  )
  const last = readBatches(trial.output).size - 1
  await until(() => trial.checkpoint.has(`commits/${last}`))
}

/** A test that waits in vain is ended by its runner. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20)
}
