import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BatchRows } from '../../src/sinks/foreach-batch.ts'
import { foreachBatchFormat } from '../../src/sinks/foreach-batch.ts'
import { Bench } from '../conformance/sink.ts'

test('the rows come as Arrow and as objects', async () => {
  const bench = await Bench.open()
  const seen: unknown[] = []
  const format = foreachBatchFormat(async (batch, batchId) => {
    const table = await batch.toArrow()
    assert.equal(await batch.toArrow(), table)
    seen.push(batchId, batch.rows, batch.schema, table.getChild('s')?.toJSON(), await batch.toObjects())
  })
  const sql = "SELECT i::INTEGER AS i, 's' || i AS s FROM range(2) r(i)"
  await bench.write(await bench.open(format, sql, 'update'), 3, sql)
  assert.deepEqual(seen, [
    3,
    2,
    [
      { name: 'i', type: 'INTEGER' },
      { name: 's', type: 'VARCHAR' },
    ],
    ['s0', 's1'],
    [
      { i: 0, s: 's0' },
      { i: 1, s: 's1' },
    ],
  ])
  bench.close()
})

test('rows asked for too late are refused', async () => {
  const bench = await Bench.open()
  let kept: BatchRows | undefined
  const format = foreachBatchFormat((batch) => {
    kept = batch
  })
  await bench.write(await bench.open(format, 'SELECT 1 AS i', 'append'), 0, 'SELECT 1 AS i')
  await assert.rejects(kept?.toObjects() ?? Promise.resolve(), { code: 'BATCH_OVER' })
  bench.close()
})
