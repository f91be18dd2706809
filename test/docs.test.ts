import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { QUERY_OPTIONS } from '../src/api/writer.ts'
import { foreachBatchFormat } from '../src/sinks/foreach-batch.ts'
import { SINKS } from '../src/sinks/index.ts'
import { optionRows } from './support/option-rows.ts'

const page = (name: string) => readFileSync(join(import.meta.dirname, '..', 'docs', name), 'utf8')

test('docs/sinks.md lists every sink, its modes, its guarantee and its options', () => {
  const text = page('sinks.md')
  const formats = [...Object.values(SINKS), foreachBatchFormat(() => undefined)]
  const rows = formats.map(
    ({ name, modes, guarantee }) => `| \`${name}\` | ${modes.join(', ')} | ${guarantee} |`,
  )
  assert.ok(text.includes(`| --- | --- | --- |\n${rows.join('\n')}\n\n`), rows.join('\n'))
  for (const { name, options } of formats) {
    const section = text.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? ''
    assert.notEqual(section, '', `${name} has no section`)
    if (Object.keys(options).length > 0) assert.ok(section.includes(optionRows(options)), optionRows(options))
  }
  assert.ok(text.includes(optionRows(QUERY_OPTIONS)), optionRows(QUERY_OPTIONS))
})
