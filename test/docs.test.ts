import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { QUERY_OPTIONS } from '../src/api/writer.ts'
import type { OptionTable } from '../src/options.ts'
import { PAYLOAD_OPTIONS } from '../src/plan/payload.ts'
import { FILE_S3_OPTIONS } from '../src/sinks/file/options.ts'
import { foreachFormat } from '../src/sinks/foreach.ts'
import { foreachBatchFormat } from '../src/sinks/foreach-batch.ts'
import { SINKS, sinkFormats } from '../src/sinks/index.ts'
import { FILES_OPTIONS } from '../src/sources/files/options.ts'
import { KINESIS_OPTIONS } from '../src/sources/kinesis/option-table.ts'
import { NEXMARK_OPTIONS } from '../src/sources/nexmark/options.ts'
import { RATE_OPTIONS } from '../src/sources/rate.ts'
import { exists } from './guarantees/evidence.ts'
import { guaranteesPage } from './guarantees/page.ts'
import { optionRows } from './support/option-rows.ts'

/** `SLUICE_UPDATE=1 npm test test/docs.test.ts` writes what stands between the marks of a page. */
test('docs/sources.md lists every option of every source and of payloads with its other spellings', () => {
  const path = join(import.meta.dirname, '..', 'docs', 'sources.md')
  const tables: Readonly<Record<string, OptionTable>> = {
    kinesis: KINESIS_OPTIONS,
    rate: RATE_OPTIONS,
    nexmark: NEXMARK_OPTIONS,
    files: FILES_OPTIONS.csv,
    payload: PAYLOAD_OPTIONS,
  }
  const marked = /<!-- options: (\w+) -->\n[\s\S]*?<!-- end -->/g
  const text = readFileSync(path, 'utf8')
  const named = [...text.matchAll(marked)].map(([, name]) => name)
  assert.deepEqual(named, Object.keys(tables))
  const expected = text.replace(marked, (_, name: string) => {
    return `<!-- options: ${name} -->\n${optionRows(tables[name] as OptionTable)}\n<!-- end -->`
  })
  if (process.env['SLUICE_UPDATE']) writeFileSync(path, expected)
  assert.equal(readFileSync(path, 'utf8'), expected)
})

const page = (name: string) => readFileSync(join(import.meta.dirname, '..', 'docs', name), 'utf8')

test('docs/sinks.md lists every sink, its modes, its guarantee and its options', () => {
  const text = page('sinks.md')
  const formats = [
    ...Object.values(SINKS),
    foreachBatchFormat(() => undefined, sinkFormats()),
    foreachFormat({ process: () => undefined }),
  ]
  const rows = formats.map(
    ({ name, modes, guarantee }) => `| \`${name}\` | ${modes.join(', ')} | ${guarantee} |`,
  )
  assert.ok(text.includes(`| --- | --- | --- |\n${rows.join('\n')}\n\n`), rows.join('\n'))
  for (const { name, options } of formats) {
    const section = text.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? ''
    assert.notEqual(section, '', `${name} has no section`)
    const own = Object.fromEntries(Object.entries(options).filter(([option]) => !(option in FILE_S3_OPTIONS)))
    if (Object.keys(own).length > 0)
      assert.ok(`${section}\n`.includes(`${optionRows(own)}\n\n`), optionRows(own))
  }
  assert.ok(
    text.includes(`${optionRows(FILE_S3_OPTIONS)}\n\n`),
    'the options of files on S3, once for all kinds',
  )
  assert.ok(text.includes(`${optionRows(QUERY_OPTIONS)}\n\n`), optionRows(QUERY_OPTIONS))
})

test('docs/guarantees.md says what the tests prove, no more and no less', () => {
  const path = join(import.meta.dirname, '..', 'docs', 'guarantees.md')
  const { text } = guaranteesPage()
  if (process.env['SLUICE_UPDATE']) writeFileSync(path, text)
  assert.equal(page('guarantees.md'), text)
})

test('every test that docs/guarantees.md names is there', () => {
  const missing = guaranteesPage().proofs.filter((proof) => !exists(proof))
  assert.deepEqual(missing, [])
  assert.ok(!exists({ file: 'docs.test.ts', name: 'a test that nobody wrote' }))
})
