import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { systemClock } from '../../src/clock.ts'
import { SluiceError } from '../../src/errors.ts'
import type { S3FaultAction } from '../../src/testing/s3/fault.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { CheckpointChild } from './checkpoint-child.ts'
import {
  assertExact,
  type Ledger,
  ledgerSink,
  loadSum,
  options,
  processesThatAre,
  runBatches,
  runQuery,
} from './query.ts'
import { BUCKET, coded, LOCATION, PREFIX, type S3Scene, s3Scene } from './s3-scene.ts'

const END = 8
const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`

/** One life of the query; how it ended, if not well. */
function life(storage: Storage, ledger: Ledger, size: number): Promise<unknown> {
  return runQuery(storage, ledgerSink(ledger), END, () => size).then(
    () => undefined,
    (error: unknown) => error,
  )
}

async function assertRecovers(scene: S3Scene, ledger: Ledger): Promise<void> {
  assertExact(ledger, await runQuery(await scene.open(), ledgerSink(ledger), END, () => 4), END)
  assert.deepEqual(scene.double.keys(BUCKET, `${PREFIX}.probe/`), [])
}

describe('a checkpoint on S3', () => {
  test('keeps a query over restarts, purged of what is not needed', async () => {
    const scene = await s3Scene({ pageSize: 3 })
    const ledger: Ledger = new Map()
    for (const [start, end] of [6, 12, 20].entries()) {
      const storage = await scene.open()
      assertExact(ledger, await runQuery(storage, ledgerSink(ledger), end, () => 2), end)
      const checkpoint = await Checkpoint.open(storage, options())
      assert.equal(checkpoint.epoch, 2 * start + 2)
      assert.equal(await loadSum(checkpoint), (end * (end + 1)) / 2)
      await checkpoint.close()
      await storage.close()
    }
    const commits = scene.names().filter((name) => name.startsWith('commits/'))
    assert.deepEqual(commits, ['commits/8', 'commits/9'])
  })

  test('hands over a batch that was logged and not committed', async () => {
    const { open } = await s3Scene()
    const first = await Checkpoint.open(await open(), options())
    await first.pinInitialPosition(0, { shard: 'é' })
    const sources = [{ range: { start: 0, end: 5 }, rows: 5, digest: 'd' }]
    await first.logIntent({ batchId: 0, epoch: 1, startedAtMs: 7, watermarkMs: null, sources })
    await first.close()
    const second = await Checkpoint.open(await open(), options())
    assert.deepEqual(second.pending?.sources, sources)
    assert.deepEqual(await second.initialPosition(0), { shard: 'é' })
  })

  test('refuses a second writer while the first lives, and fences the first once it was replaced', async () => {
    const { open, names } = await s3Scene()
    const first = await Checkpoint.open(await open(), options())
    await assert.rejects(
      Checkpoint.open(await open(), options({ processes: processesThatAre('alive') })),
      coded('CHECKPOINT_IN_USE', LOCATION, 'process 4711'),
    )
    const second = await Checkpoint.open(await open(), options())
    const before = names()
    const sources = [{ range: { start: 0, end: 5 }, rows: 5, digest: 'd' }]
    await assert.rejects(
      first.logIntent({ batchId: 0, epoch: 1, startedAtMs: 7, watermarkMs: null, sources }),
      coded('CHECKPOINT_FENCED', 'epoch 2'),
    )
    assert.deepEqual(names(), before)
    await second.assertHeld()
  })

  test('goes to one of many first starts', async () => {
    const { open } = await s3Scene()
    const storages = await Promise.all(Array.from({ length: 8 }, () => open()))
    const starts = await Promise.allSettled(
      storages.map((storage) => Checkpoint.open(storage, options({ processes: processesThatAre('alive') }))),
    )
    const losers = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason] : []))
    assert.equal(losers.length, 7)
    for (const reason of losers) coded('CHECKPOINT_IN_USE')(reason)
  })

  test('fences a process that was stopped, replaced and continued', async () => {
    const { open, names, endpointUrl } = await s3Scene()
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: endpointUrl,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'anybody',
      AWS_SECRET_ACCESS_KEY: 'anything',
    })
    const child = new CheckpointChild('hold', LOCATION, '50')
    assert.equal(await child.line(), 'held')
    await child.suspend()
    const given = options({ clock: systemClock, processes: processTable })
    const successor = await Checkpoint.open(await open(), given)
    const before = names()
    child.signal('SIGCONT')
    child.go()
    assert.equal(await child.line(), 'CHECKPOINT_FENCED')
    await child.ended()
    assert.deepEqual(
      names().filter((name) => !name.includes('.beat.')),
      before.filter((name) => !name.includes('.beat.')),
    )
    await successor.close()
  })
})

describe('a query on S3', () => {
  const troubles: readonly (readonly [chance: number, action: S3FaultAction])[] = [
    [0.04, { kind: 'reset', applied: true }],
    [0.04, { kind: 'reset', applied: false }],
    [0.04, { kind: 'error', code: 'InternalError', applied: true }],
    [0.08, { kind: 'error', code: 'SlowDown' }],
    [0.04, { kind: 'html' }],
    [0.04, { kind: 'truncate' }],
  ]

  test('comes out exact through a storm of faults, without noticing it', async (t) => {
    t.diagnostic(`SLUICE_SEED=${seed}`)
    const random = seededRandom(seed)
    const scene = await s3Scene({ clock: { ...systemClock, random: () => random.next() } })
    const faults = troubles.map(([chance, action]) => scene.double.fault({ chance, action }))
    const conflict: S3FaultAction = { kind: 'error', code: 'ConditionalRequestConflict' }
    faults.push(scene.double.fault({ operation: 'PutObject', chance: 0.1, action: conflict }))
    const ledger: Ledger = new Map()
    for (const end of [END, 2 * END]) {
      const storage = await scene.open({ maxRetryTime: '60s' })
      const sum = await runQuery(storage, ledgerSink(ledger), end, () => 3)
      assertExact(ledger, sum, end)
    }
    const fired = faults.reduce((sum, fault) => sum + fault.fired, 0)
    assert.ok(fired > 10, `${fired} faults`)
  })

  test('that dies at any request, before or after it is carried out, goes on exactly', async (t) => {
    t.diagnostic(`SLUICE_SEED=${seed}`)
    const random = seededRandom(seed)
    const clean = await s3Scene()
    assert.equal(await life(await clean.open(), new Map(), 3), undefined)
    const requests = clean.double.calls.length
    assert.ok(requests > 50, String(requests))
    for (let run = 0; run < 8; run++) {
      const scene = await s3Scene()
      const ledger: Ledger = new Map()
      for (let crash = 0; crash < 2; crash++) {
        const fatal = 1 + random.below(requests)
        const applied = random.next() < 0.5
        const where = `SLUICE_SEED=${seed}: run ${run}, request ${fatal}, ${applied ? 'after' : 'before'}`
        const { double } = scene
        // From the fatal request on, nothing that this process wants is done any more.
        const die = () => void double.fault({ action: { kind: 'error', code: 'AccessDenied' } })
        double.fault({ nth: fatal, action: { kind: 'meanwhile', applied: false, run: die } })
        double.fault({ nth: fatal, action: { kind: 'reset', applied } })
        const error = await life(await scene.open(), ledger, 2 + random.below(3))
        if (error !== undefined) assert.ok(error instanceof SluiceError, `${where}: ${String(error)}`)
        double.clearFaults()
      }
      await assertRecovers(scene, ledger)
    }
  })

  test('whose store fails for good ends with a code, and goes on exactly when it is back', async () => {
    const scene = await s3Scene()
    const ledger: Ledger = new Map()
    const checkpoint = await Checkpoint.open(await scene.open({ maxRetryTime: 150 }), options())
    scene.double.fault({ under: `${PREFIX}commits/`, action: { kind: 'error', code: 'ServiceUnavailable' } })
    await assert.rejects(
      runBatches(checkpoint, ledgerSink(ledger), END, () => 3),
      coded('S3_UNAVAILABLE', 'PutObject', `${PREFIX}commits/0`, 'ServiceUnavailable'),
    )
    await checkpoint.close()
    scene.double.clearFaults()
    await assertRecovers(scene, ledger)
  })
})
