import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { BUCKET, coded, LOCATION, PREFIX, s3Scene } from './s3-scene.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('unsafe stores', () => {
  test('a store that ignores conditional writes is refused before anything rests on it', async () => {
    const { open, double } = await s3Scene({ conditionalWrites: 'ignored' })
    const storage = await open()
    await assert.rejects(
      storage.create('metadata', bytes('x')),
      coded('CHECKPOINT_STORE_UNSAFE', LOCATION, 'ignores If-None-Match', 'single writer'),
    )
    assert.deepEqual(double.keys(BUCKET), [])
    const file = await storage.scratchFile()
    await writeFile(file, 'state')
    await assert.rejects(
      storage.createFrom('state/a/0.1.delta.parquet', file),
      coded('CHECKPOINT_STORE_UNSAFE'),
    )
  })

  test('and so is one that refuses them', async () => {
    const { open, double } = await s3Scene({ conditionalWrites: 'refused' })
    const storage = await open()
    await assert.rejects(
      storage.create('metadata', bytes('x')),
      coded('CHECKPOINT_STORE_UNSAFE', 'NotImplemented', 'HTTP 501'),
    )
    assert.deepEqual(double.keys(BUCKET), [])
  })

  test('the probe leaves nothing, is made once, and reading needs none', async () => {
    const { open, double, names } = await s3Scene()
    const storage = await open()
    await storage.read('metadata')
    await storage.list('')
    assert.equal(double.calls.filter((call) => call.operation === 'PutObject').length, 0)
    await storage.create('metadata', bytes('x'))
    await storage.create('offsets/0', bytes('x'))
    const probes = double.calls.filter((call) => call.key.startsWith(`${PREFIX}.probe/`))
    assert.deepEqual(
      probes.map((call) => `${call.operation} ${call.outcome}`),
      ['PutObject ok', 'HeadObject ok', 'PutObject PreconditionFailed', 'HeadObject ok', 'DeleteObject ok'],
    )
    assert.deepEqual(names(), ['metadata', 'offsets/0'])
  })

  test('a probe that another writer sweeps, or whose answers are lost, proves no store unsafe', async () => {
    const { open, double } = await s3Scene()
    const [storage, holder] = [await open(), await open()]
    const sweep = () => holder.recover()
    double.fault({
      operation: 'PutObject',
      nth: 2,
      action: { kind: 'meanwhile', applied: false, run: sweep },
    })
    double.fault({
      operation: 'PutObject',
      under: `${PREFIX}.probe/`,
      every: 2,
      action: { kind: 'reset', applied: true },
    })
    assert.equal(await storage.create('metadata', bytes('x')), 'created')
    assert.deepEqual(double.keys(BUCKET), [`${PREFIX}metadata`])
  })

  test('a probe left behind by a killed writer is swept by the next one', async () => {
    const { open, double } = await s3Scene()
    double.put(BUCKET, `${PREFIX}.probe/left-behind`, 'x')
    const storage = await open()
    assert.deepEqual(await storage.list(''), [])
    await storage.recover()
    assert.deepEqual(double.keys(BUCKET), [])
  })
})
