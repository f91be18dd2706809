import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import { type Logger, silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const STOPPING = 'stopping because the stop marker is there'

describe('stop marker', () => {
  let directory: string
  let session: Session
  let clock: ManualClock
  let stream: MemoryStream
  let batches: number[]
  let messages: string[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-test-marker-'))
    clock = new ManualClock({ seed: 'marker' })
    messages = []
    const log = {
      ...silentLogger,
      info: (_: unknown, message: string) => messages.push(message),
    } as unknown as Logger
    session = await Session.create({ log, clock })
    stream = new MemoryStream({ n: 'BIGINT' }, { batchRows: () => 1 })
    batches = []
  })

  afterEach(async () => {
    await session.close()
    await rm(directory, { recursive: true, force: true })
  })

  const start = (stopMarker: string, beforeWrite: () => Promise<void> = async () => undefined) =>
    session.readStream
      .format(stream)
      .load()
      .writeStream.option('checkpointLocation', join(directory, 'checkpoint'))
      .option('stopMarker', stopMarker)
      .foreachBatch(async (_, batchId) => {
        await beforeWrite()
        batches.push(batchId)
      })
      .start()

  test('lets the running batch finish and ends the query without an error', async () => {
    const marker = join(directory, 'stop')
    stream.add({ n: 1n }, { n: 2n }, { n: 3n })
    const query = await start(marker, async () => {
      await writeFile(marker, '')
      await clock.advance(1000)
      while (!messages.includes(STOPPING)) await new Promise((resolve) => setImmediate(resolve))
    })
    await query.awaitTermination()
    assert.equal(query.exception, undefined)
    assert.deepEqual(batches, [0])
    assert.equal(query.lastProgress?.batchId, 0, 'the batch is committed')
  })

  test('that is there already ends the query before its first batch', async () => {
    const marker = join(directory, 'stop')
    await writeFile(marker, '')
    stream.add({ n: 1n })
    await (await start(marker)).awaitTermination()
    assert.deepEqual(batches, [])
    await rm(marker)
    const again = await start(marker)
    await again.processAllAvailable()
    assert.deepEqual(batches, [0])
  })

  test('that cannot be looked for does not stop the query', async () => {
    await mkdir(join(directory, 'stop'))
    stream.add({ n: 1n })
    const query = await start(join(directory, 'stop'))
    await query.processAllAvailable()
    assert.deepEqual(batches, [0])
    assert.equal(query.isActive, true)
  })

  test('needs a name that a file can have everywhere', async () => {
    for (const path of ['', 'folder/', '.hidden', 'a b']) {
      await assert.rejects(start(path), /OPTION_INVALID: option 'stopMarker'/, path)
    }
  })
})
