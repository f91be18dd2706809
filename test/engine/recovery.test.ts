import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { StreamingQuery } from '../../src/api/query.ts'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

describe('recovery', () => {
  let checkpoint: string
  let session: Session
  let seen: { readonly id: number; readonly rows: readonly Row[] }[]

  beforeEach(async () => {
    checkpoint = await mkdtemp(join(tmpdir(), 'sluice-test-'))
    session = await Session.create({ log: silentLogger })
    seen = []
  })

  afterEach(async () => {
    await session.close()
    await rm(checkpoint, { recursive: true, force: true })
  })

  const streamOf = (...words: readonly string[]): MemoryStream => {
    const stream = new MemoryStream({ word: 'VARCHAR' }, { name: 'words', batchRows: () => 2 })
    stream.add(...words.map((word) => ({ word })))
    return stream
  }

  /** One life of a query that counts words in batches of two; it fails in `failsAt`, after it was given the rows. */
  const life = async (stream: MemoryStream, failsAt?: number): Promise<StreamingQuery> => {
    session.readStream.format(stream).load().createOrReplaceTempView('words')
    const query = await session
      .sql('SELECT word, count(*) AS n FROM words GROUP BY word')
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .option('checkpointLocation', checkpoint)
      .foreachBatch(async (batch, id) => {
        seen.push({ id, rows: await batch.toObjects() })
        if (id === failsAt) throw new RangeError('not now')
      })
      .start()
    await query.awaitTermination().catch(() => undefined)
    return query
  }

  test('a batch that fails in every start comes again in each, and is there once in the end', async () => {
    const stream = streamOf('a', 'a', 'a', 'a', 'a')
    for (let start = 0; start < 4; start++) {
      const { exception } = await life(stream, 1)
      assert.ok(hasCode(exception, 'SINK_FAILED'))
    }
    const last = await life(stream)
    assert.equal(last.exception, undefined)
    const batch1 = { id: 1, rows: [{ word: 'a', n: 4n }] }
    assert.deepEqual(seen, [
      { id: 0, rows: [{ word: 'a', n: 2n }] },
      ...Array(5).fill(batch1),
      { id: 2, rows: [{ word: 'a', n: 5n }] },
    ])
  })

  for (const { what, words, code } of [
    { what: 'as many', words: ['a', 'b', 'X', 'd'], code: 'REPLAY_DIFFERS' },
    { what: 'too few', words: ['a', 'b', 'c'], code: 'DATA_LOST' },
  ] as const) {
    test(`other rows than those that were logged stop the query and leave the batch as it was: ${what}`, async () => {
      const stream = streamOf('a', 'b', 'c', 'd')
      await life(stream, 1)
      seen = []
      const { exception } = await life(streamOf(...words))
      assert.ok(hasCode(exception, code), String(exception))
      assert.match(
        exception.message,
        code === 'DATA_LOST' ? /memory\[words\].*rows 2 to 4/ : /memory\[words\].*batch 1/,
      )
      assert.deepEqual(seen, [])
      assert.deepEqual(await readdir(join(checkpoint, 'commits')), ['0'])
      assert.equal((await life(stream)).exception, undefined)
      assert.deepEqual(
        seen.map(({ id }) => id),
        [1],
      )
    })
  }
})
