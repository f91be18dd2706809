import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/checkpoint.md'), 'utf8')
const invariants = page
  .slice(page.indexOf('## Invariants'), page.indexOf('## What cannot be noticed'))
  .split(/^\* \*\*/m)
  .slice(1)

test('the invariants of docs/checkpoint.md are numbered without a gap', () => {
  assert.ok(invariants.length > 0)
  for (const [i, invariant] of invariants.entries())
    assert.ok(invariant.startsWith(`C${i + 1}** `), invariant)
})

test('every invariant of docs/checkpoint.md names tests that exist', () => {
  for (const invariant of invariants) {
    const proofs = [...invariant.matchAll(/`([\w./-]+\.ts)`: "([^"]+)"/g)]
    assert.ok(proofs.length > 0, `no test is named: ${invariant}`)
    for (const [, file = '', name = ''] of proofs) {
      const source = readFileSync(join(root, 'test', file), 'utf8')
      assert.ok(source.includes(`test('${name}'`), `${file} has no test "${name}"`)
    }
  }
})
