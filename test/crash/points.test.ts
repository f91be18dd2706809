import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everyHit, stepsOfSink } from './points.ts'

const TRACE = [
  ...['file.synced', 'checkpoint.tidied', 'file.synced', 'state.loaded', 'file.synced', 'batch.logged'],
  ...['batch.held', 'file.synced', 'sink.moved', 'batch.written', 'file.synced', 'batch.committed'],
  ...['batch.held', 'sink.moved', 'batch.written', 'file.synced', 'batch.committed', 'query.closing'],
]

test('every hit of every failpoint is a place to die', () => {
  const points = everyHit(TRACE)
  assert.equal(points.length, TRACE.length)
  assert.deepEqual(points.slice(0, 3), [
    { name: 'file.synced', hit: 1 },
    { name: 'checkpoint.tidied', hit: 1 },
    { name: 'file.synced', hit: 2 },
  ])
})

test('a sink dies where it is opened, where it writes, and between the steps of a batch', () => {
  assert.deepEqual(
    stepsOfSink(TRACE).map(({ name, hit }) => `${name}:${hit}`),
    [
      ...['checkpoint.tidied:1', 'file.synced:2', 'batch.logged:1'],
      ...['batch.held:1', 'file.synced:4', 'sink.moved:1', 'batch.written:1', 'batch.committed:1'],
      ...['batch.held:2', 'sink.moved:2', 'batch.written:2', 'batch.committed:2'],
    ],
  )
})
