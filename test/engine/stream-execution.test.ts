import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { StreamingQuery } from '../../src/api/query.ts'
import { Session } from '../../src/api/session.ts'
import type { DataStreamWriter } from '../../src/api/writer.ts'
import type { Row } from '../../src/duckdb.ts'
import { type Progress, progressChannel } from '../../src/engine/progress.ts'
import type { TriggerSetting } from '../../src/engine/trigger.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

describe('a running query', () => {
  let session: Session
  let stream: MemoryStream
  let checkpoint: string
  let batches: { id: number; rows: Row[] }[]

  beforeEach(async () => {
    session = await Session.create({ log: silentLogger })
    stream = new MemoryStream({ word: 'VARCHAR', n: 'BIGINT' }, { name: 'words', batchRows: () => 2 })
    checkpoint = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    batches = []
  })

  afterEach(async () => {
    await session.close()
    await rm(checkpoint, { recursive: true, force: true })
  })

  const collect = (sql = 'SELECT * FROM words'): DataStreamWriter => {
    session.readStream.format(stream).load().createOrReplaceTempView('words')
    return session.sql(sql).writeStream.foreachBatch(async (batch, id) => {
      batches.push({ id, rows: await batch.toObjects() })
    })
  }

  const durable = (writer: DataStreamWriter) => writer.option('checkpointLocation', checkpoint)

  const words = (...list: string[]) => stream.add(...list.map((word, i) => ({ word, n: BigInt(i) })))

  test('processes what comes and stops when told', async () => {
    const query = await collect('SELECT word FROM words').queryName('words').start()
    words('a', 'b', 'c')
    await query.processAllAvailable()
    assert.deepEqual(batches, [
      { id: 0, rows: [{ word: 'a' }, { word: 'b' }] },
      { id: 1, rows: [{ word: 'c' }] },
    ])
    assert.equal(session.streams.get('words'), query)
    assert.equal(await query.awaitTermination(1), false)
    await query.stop()
    assert.equal(query.isActive, false)
    assert.equal(query.status.message, 'Stopped')
    assert.equal(await query.awaitTermination(), true)
    assert.deepEqual(session.streams.active, [])
    await query.processAllAvailable()
    await query.stop()
  })

  test('nothing comes, nothing runs, nothing is written', async () => {
    const query = await durable(collect()).start()
    await query.processAllAvailable()
    await query.stop()
    assert.deepEqual(batches, [])
    assert.equal(query.lastProgress, undefined)
    const files = await readdir(checkpoint, { recursive: true })
    assert.deepEqual(
      files.filter((file) => /^(offsets|commits|state)\//.test(file)),
      [],
    )
  })

  test('the next batch is read while one is worked on, and is nothing before that one is committed', async () => {
    words('a', 'b', 'c', 'd', 'e')
    const reads: number[] = []
    const inner = stream.open()
    const read: typeof inner.read = async (from, signal) => {
      reads.push(from as number)
      if (from === 4) throw new RangeError('no more words')
      return await inner.read(from, signal)
    }
    const format = {
      name: 'words',
      schema: () => stream.schema(),
      describe: () => 'words',
      open: () => ({ ...inner, read }),
    }
    const seen: unknown[] = []
    const start = (trigger: TriggerSetting) =>
      durable(
        session.readStream
          .format(format)
          .load()
          .writeStream.foreachBatch(async (batch, id) => {
            // Long enough for whatever was begun.
            await delay(20)
            const logged = (await readdir(join(checkpoint, 'offsets'))).filter((name) => /^\d+$/.test(name))
            seen.push({ id, rows: batch.rows, reads: [...reads], logged: logged.length })
            if (id === 1 && seen.length === 2) throw new RangeError('crash on purpose')
          }),
      )
        .trigger(trigger)
        .start()
    await assert.rejects((await start({ availableNow: true })).awaitTermination())
    // What was read for batch 2 failed, but batch 1 did before: it comes again, and then what was read for batch 2.
    const again = await start({ availableNow: true })
    await assert.rejects(again.awaitTermination(), /no more words/)
    const once = await start({ processingTime: '1 hour' })
    await assert.rejects(once.awaitTermination(), /no more words/)
    assert.deepEqual(seen, [
      { id: 0, rows: 2, reads: [0, 2], logged: 1 },
      { id: 1, rows: 2, reads: [0, 2, 4], logged: 2 },
      { id: 1, rows: 2, reads: [0, 2, 4], logged: 2 },
    ])
    assert.deepEqual(reads, [0, 2, 4, 4, 4])
    assert.equal(again.lastProgress?.batchId, 1)
  })

  test('rows that come while the next batch has been read already are waited for', async () => {
    words('a', 'b', 'c')
    let asked: Promise<void> | undefined
    const rows: string[] = []
    session.readStream.format(stream).load().createOrReplaceTempView('words')
    const query = await session
      .sql('SELECT word FROM words')
      .writeStream.foreachBatch(async (batch, id) => {
        await delay(20)
        if (id === 0) {
          words('d')
          asked = query.processAllAvailable()
        }
        rows.push(...(await batch.toObjects()).map(({ word }) => String(word)))
      })
      .start()
    await query.processAllAvailable()
    await asked
    assert.deepEqual(rows, ['a', 'b', 'c', 'd'])
    await query.stop()
  })

  test('availableNow takes what was there in bounded batches, and no more', async () => {
    words('a', 'b', 'c', 'd', 'e')
    const writer = collect()
      .trigger({ availableNow: true })
      .foreachBatch(async (batch, id) => {
        batches.push({ id, rows: await batch.toObjects() })
        words('later')
      })
    const query = await writer.start()
    assert.equal(await query.awaitTermination(), true)
    assert.deepEqual(
      batches.map(({ rows }) => rows.map((row) => row['word'])),
      [['a', 'b'], ['c', 'd'], ['e']],
    )
  })

  test('once runs one batch', async () => {
    words('a', 'b', 'c')
    await (await collect().trigger({ once: true }).start()).awaitTermination()
    assert.deepEqual(
      batches.map(({ rows }) => rows.length),
      [2],
    )
  })

  test('a restart goes on with the next record and the right state', async () => {
    const counting = 'SELECT word, count(*) AS n, sum(n) AS s FROM words GROUP BY word'
    const run = async (): Promise<StreamingQuery> => {
      const query = await durable(collect(counting))
        .outputMode('update')
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
      return query
    }
    words('a', 'b', 'a')
    const first = await run()
    words('a', 'c')
    const second = await run()
    assert.equal(second.id, first.id)
    assert.notEqual(second.runId, first.runId)
    const sorted = batches.map(({ id, rows }) => ({
      id,
      rows: rows.sort((x, y) => String(x['word']).localeCompare(String(y['word']))),
    }))
    assert.deepEqual(sorted, [
      {
        id: 0,
        rows: [
          { word: 'a', n: 1n, s: 0n },
          { word: 'b', n: 1n, s: 1n },
        ],
      },
      { id: 1, rows: [{ word: 'a', n: 2n, s: 2n }] },
      {
        id: 2,
        rows: [
          { word: 'a', n: 3n, s: 2n },
          { word: 'c', n: 1n, s: 1n },
        ],
      },
    ])
  })

  test('state is right after many restarts, across snapshots', async () => {
    const counting = 'SELECT word, count(*) AS n, avg(n) AS m FROM words GROUP BY word'
    for (let i = 0; i < 30; i++) {
      words(`w${i % 4}`, 'always')
      const query = await durable(collect(counting))
        .outputMode('complete')
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
    }
    const last = new Map(batches.at(-1)?.rows.map((row) => [row['word'], row['n']]))
    assert.deepEqual(
      last,
      new Map([
        ['always', 30n],
        ['w0', 8n],
        ['w1', 8n],
        ['w2', 7n],
        ['w3', 7n],
      ]),
    )
    const state = await readdir(join(checkpoint, 'state', 'aggregate_0'))
    assert.ok(
      state.some((file) => file.includes('snapshot')),
      state.join(' '),
    )
  })

  test('the intent of a batch is on disk before the sink sees it, its commit only after', async () => {
    words('a')
    let seen: string[] = []
    const query = await durable(collect())
      .trigger({ availableNow: true })
      .foreachBatch(async () => {
        seen = (await readdir(checkpoint, { recursive: true })).filter((file) =>
          /^(offsets|commits)\//.test(file),
        )
      })
      .start()
    await query.awaitTermination()
    assert.deepEqual(seen, ['offsets/0'])
    assert.match(await readFile(join(checkpoint, 'commits', '0'), 'utf8'), /^sluice commit v1\n/)
  })

  test('a failing sink ends the query, and the same batch comes again', async () => {
    words('a', 'b', 'c')
    const failing = durable(collect()).foreachBatch((_, id) => {
      if (id === 1) throw new RangeError('the sink is full')
    })
    const query = await failing.start()
    await assert.rejects(query.awaitTermination(), /the sink is full/)
    await assert.rejects(query.processAllAvailable(), /the sink is full/)
    assert.ok(query.exception)
    assert.equal(query.isActive, false)
    assert.match(query.status.message, /^Terminated with exception/)
    await assert.rejects(session.streams.awaitAnyTermination(), /the sink is full/)
    const again = await durable(collect()).trigger({ availableNow: true }).start()
    await again.awaitTermination()
    assert.deepEqual(batches, [{ id: 1, rows: [{ word: 'c', n: 2n }] }])
  })

  test('a query that fails on its data names the batch and not the data', async () => {
    words('not a number')
    const query = await collect('SELECT word::INTEGER AS i FROM words').start()
    await assert.rejects(query.awaitTermination(), (error) => {
      assert.ok(hasCode(error, 'BATCH_FAILED'))
      assert.equal(error.params.batch, 0)
      assert.doesNotMatch(error.message, /not a number/)
      return true
    })
  })

  test('stop lets the running batch finish', async () => {
    words('a', 'b', 'c')
    let stopping: Promise<void> | undefined
    const query = await durable(collect())
      .foreachBatch(async (batch, id) => {
        stopping ??= query.stop()
        batches.push({ id, rows: await batch.toObjects() })
      })
      .start()
    await query.awaitTermination()
    await stopping
    assert.deepEqual(
      batches.map(({ id }) => id),
      [0],
    )
    assert.deepEqual(await readdir(join(checkpoint, 'commits')), ['0'])
  })

  test("another query's checkpoint is refused and left as it is", async () => {
    words('a')
    await (await durable(collect()).trigger({ availableNow: true }).start()).awaitTermination()
    const before = (await readdir(checkpoint, { recursive: true })).sort()
    const other = durable(collect('SELECT word, count(*) AS n FROM words GROUP BY word')).outputMode('update')
    await assert.rejects(other.start(), (error) => hasCode(error, 'CHECKPOINT_INCOMPATIBLE'))
    assert.deepEqual((await readdir(checkpoint, { recursive: true })).sort(), before)
  })

  test('two queries of one name, or on one checkpoint, do not run at once', async () => {
    await durable(collect()).queryName('one').start()
    await assert.rejects(collect().queryName('one').start(), (error) => hasCode(error, 'QUERY_NAME_TAKEN'))
    await assert.rejects(durable(collect()).start(), (error) => hasCode(error, 'CHECKPOINT_IN_USE'))
  })

  test('progress tells of every batch and is published', async () => {
    const heard: Progress[] = []
    const listen = (message: unknown) => void heard.push(message as Progress)
    progressChannel.subscribe(listen)
    try {
      words('a', 'a', 'b')
      const counting = 'SELECT word, count(*) AS n FROM words GROUP BY word'
      const query = await collect(counting).outputMode('update').trigger({ availableNow: true }).start()
      await query.awaitTermination()
      assert.deepEqual(
        query.recentProgress.map(({ batchId, numInputRows }) => [batchId, numInputRows]),
        [
          [0, 2],
          [1, 1],
        ],
      )
      assert.deepEqual(query.lastProgress?.stateOperators, [
        { operatorName: 'aggregate_0', numRowsTotal: 2, numRowsUpdated: 1, numRowsDroppedByWatermark: 0 },
      ])
      assert.deepEqual(
        query.lastProgress?.sources.map(({ startOffset, endOffset }) => [startOffset, endOffset]),
        [[2, 3]],
      )
      assert.deepEqual(
        heard.filter(({ runId }) => runId === query.runId),
        query.recentProgress,
      )
    } finally {
      progressChannel.unsubscribe(listen)
    }
  })

  test('one time is the time of a whole batch', async () => {
    words('a', 'b')
    const query = await collect('SELECT now() AS t, current_timestamp AS u FROM words')
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    const times = new Set(
      batches[0]?.rows.flatMap((row) => Object.values(row).map((t) => (t as Date).toISOString())),
    )
    assert.deepEqual([...times], [query.lastProgress?.timestamp])
  })

  test('a query over two streams reads both', async () => {
    const other = new MemoryStream({ word: 'VARCHAR' }, { name: 'others' })
    session.readStream.format(other).load().createOrReplaceTempView('others')
    words('a')
    other.add({ word: 'x' }, { word: 'y' })
    const query = await durable(collect('SELECT word FROM words UNION ALL SELECT word FROM others')).start()
    await query.processAllAvailable()
    other.add({ word: 'z' })
    await query.processAllAvailable()
    assert.deepEqual(
      batches.map(({ rows }) => rows.map((row) => row['word'])),
      [['a', 'x', 'y'], ['z']],
    )
  })
})

test('a query whose source cannot be reached leaves nothing in its checkpoint location', async () => {
  const location = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  const session = await Session.create({ log: silentLogger })
  const stream = new MemoryStream({ word: 'VARCHAR' })
  const open = () => ({ ...stream.open(), initial: () => Promise.reject(new Error('nobody listens')) })
  const format = {
    name: 'unreachable',
    schema: () => stream.schema(),
    describe: () => 'unreachable[x]',
    open,
  }
  const { writeStream } = session.readStream.format(format).load()
  const start = writeStream.format('noop').option('checkpointLocation', location).start()
  await assert.rejects(start, /nobody listens/)
  assert.deepEqual(await readdir(location), [])
  await session.close()
  await rm(location, { recursive: true })
})
