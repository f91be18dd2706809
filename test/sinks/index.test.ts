import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SINKS, sinkFormat } from '../../src/sinks/index.ts'

test('every sink is found under its own name, in any case', () => {
  for (const [name, format] of Object.entries(SINKS)) {
    assert.equal(format.name, name)
    assert.equal(sinkFormat(name.toUpperCase()), format)
    assert.ok(Object.isFrozen(format))
  }
  assert.ok(Object.isFrozen(SINKS))
})

test('an unknown format is refused with the nearest name', () => {
  assert.throws(() => sinkFormat('consol'), { code: 'FORMAT_UNKNOWN', message: /did you mean 'console'\?/ })
  for (const name of ['', 'constructor', '__proto__', 'postcard']) {
    assert.throws(() => sinkFormat(name), { code: 'FORMAT_UNKNOWN' }, name)
  }
})
