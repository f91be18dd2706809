import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { QUERY_OPTIONS } from '../src/api/writer.ts'
import { foreachBatchFormat } from '../src/sinks/foreach-batch.ts'
import { SINKS } from '../src/sinks/index.ts'
import { KINESIS_OPTIONS } from '../src/sources/kinesis/option-table.ts'
import { optionRows } from './support/option-rows.ts'

/** `SLUICE_UPDATE=1 npm test test/docs.test.ts` writes what stands between the marks of a page. */
test('docs/sources.md lists every option of the Kinesis source with its other spellings', () => {
  const path = join(import.meta.dirname, '..', 'docs', 'sources.md')
  const text = readFileSync(path, 'utf8')
  const marked = /(<!-- options: kinesis -->\n)[\s\S]*?(<!-- end -->)/
  const expected = text.replace(
    marked,
    (_, begin: string, end: string) => `${begin}${optionRows(KINESIS_OPTIONS)}\n${end}`,
  )
  if (process.env['SLUICE_UPDATE']) writeFileSync(path, expected)
  assert.equal(readFileSync(path, 'utf8'), expected)
})

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
