import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreachFormat } from '../../src/sinks/foreach.ts'
import { Bench } from '../conformance/sink.ts'

const SQL = 'SELECT i FROM range(5000) r(i)'

test('every row is processed in its order, between open and close, and promises are awaited', async () => {
  const events: unknown[] = []
  let running = 0
  const bench = await Bench.open()
  const format = foreachFormat({
    open: async (batchId) => void events.push(`open ${batchId}`),
    process: async ({ i }) => {
      assert.equal(++running, 1)
      await Promise.resolve()
      running--
      events.push(i)
    },
    close: async (error) => void events.push(`close ${String(error)}`),
  })
  const sink = await bench.open(format, SQL, 'append')
  await bench.write(sink, 3, SQL)
  assert.deepEqual(events, [
    'open 3',
    ...Array.from({ length: 5000 }, (_, i) => BigInt(i)),
    'close undefined',
  ])
  bench.close()
})

test('open says whether the rows of a batch are wanted', async () => {
  const processed: unknown[] = []
  let closes = 0
  const bench = await Bench.open()
  const format = foreachFormat({
    open: (batchId) => batchId > 0,
    process: ({ i }) => void processed.push(i),
    close: () => void closes++,
  })
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append')
  await bench.write(sink, 0, 'SELECT 1 AS i')
  await bench.write(sink, 1, 'SELECT 2 AS i')
  assert.deepEqual(processed, [2])
  assert.equal(closes, 2)
  bench.close()
})

test('what process throws goes to close and fails the batch; the connection stays usable', async () => {
  const failure = new RangeError('no more')
  const closed: unknown[] = []
  const bench = await Bench.open()
  const format = foreachFormat({
    process: ({ i }) => {
      if (i === 1n) throw failure
    },
    close: (error) => {
      closed.push(error)
      throw new TypeError('of the clean-up')
    },
  })
  const sink = await bench.open(format, SQL, 'append')
  await assert.rejects(bench.write(sink, 0, SQL), failure)
  assert.deepEqual(closed, [failure])
  await assert.rejects(bench.write(sink, 1, 'SELECT 5::BIGINT AS i'), TypeError)
  assert.equal(await bench.connection.value('SELECT 1'), 1)
  bench.close()
})

test('close is not called for an open that failed', async () => {
  const bench = await Bench.open()
  const format = foreachFormat({
    open: () => Promise.reject<undefined>(new RangeError('closed')),
    process: () => assert.fail('a row'),
    close: () => assert.fail('a close'),
  })
  const sink = await bench.open(format, 'SELECT 1 AS i', 'append')
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS i'), RangeError)
  bench.close()
})
