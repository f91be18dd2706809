import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrigger, type TriggerSetting, triggerSetting, waitMs } from '../../src/engine/trigger.ts'
import { hasCode } from '../../src/errors.ts'

test('ticks are aligned to multiples of the interval', () => {
  assert.equal(waitMs(1000, 10_000, 10_001), 999)
  assert.equal(waitMs(1000, 10_400, 10_500), 500)
  assert.equal(waitMs(1000, 10_400, 11_000), 0)
})

test('a batch that took longer than the interval lets the next start at once', () => {
  assert.equal(waitMs(1000, 10_400, 15_000), 0)
  assert.equal(waitMs(0, 10_400, 10_400), 0)
})

test('a trigger is one of three', () => {
  assert.deepEqual(parseTrigger({ processingTime: '2 seconds' }), {
    kind: 'processingTime',
    intervalMs: 2000,
  })
  assert.deepEqual(parseTrigger(triggerSetting('500ms')), { kind: 'processingTime', intervalMs: 500 })
  assert.deepEqual(parseTrigger(triggerSetting('AvailableNow')), { kind: 'availableNow' })
  assert.deepEqual(parseTrigger(triggerSetting('once')), { kind: 'once' })
  const wrong = [
    {},
    { processingTime: 'soon' },
    { once: false },
    { once: true, availableNow: true },
    { never: true },
  ]
  for (const setting of wrong) {
    assert.throws(
      () => parseTrigger(setting as TriggerSetting),
      (error) => hasCode(error, 'TRIGGER_INVALID'),
    )
  }
})
