import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERRORS, hasCode, reasonOf, SluiceError } from '../src/errors.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = join(ROOT, 'docs', 'errors.md')

/** The page of all codes; `SLUICE_UPDATE=1 npm test test/errors.test.ts` writes it. */
function page(): string {
  const rows = Object.entries(ERRORS).map(([code, { what, help, retriable }]) => {
    const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\{(\w+)\}/g, '*$1*')
    return `| \`${code}\` | ${cell(what)} | ${cell(help)} | ${retriable ? 'yes' : ''} |`
  })
  return [
    '# Errors',
    '',
    'Every failure is a `SluiceError` with one of these codes. Its message reads `CODE: what failed. To fix: what to do.`',
    'Words in italics are filled in. A code is never given another meaning; codes that are no longer used are listed at the end.',
    '',
    '| code | what failed | what to do | worth retrying |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    '## Retired codes',
    '',
    'None.',
    '',
  ].join('\n')
}

test('docs/errors.md lists every code as the table has it', () => {
  if (process.env['SLUICE_UPDATE']) writeFileSync(PAGE, page())
  assert.equal(readFileSync(PAGE, 'utf8'), page())
})

test('every code is used', () => {
  const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('errors.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
    .join('\n')
  assert.deepEqual(
    Object.keys(ERRORS).filter((code) => !source.includes(`'${code}'`)),
    [],
  )
})

test('a message names what failed and what to do, and its parameters are filled in', () => {
  const error = new SluiceError('OPTION_MISSING', {
    owner: 'source kinesis',
    option: 'streamName',
    doc: 'what to read',
  })
  assert.equal(
    error.message,
    "OPTION_MISSING: source kinesis needs the option 'streamName' (what to read). " +
      "To fix: add .option('streamName', …), or streamName '…' in OPTIONS (…).",
  )
  assert.ok(hasCode(error, 'OPTION_MISSING'))
  assert.equal(hasCode(new TypeError('x'), 'OPTION_MISSING'), false)
})

test('texts of the table end without a full stop and have balanced braces', () => {
  for (const [code, { what, help }] of Object.entries(ERRORS)) {
    for (const text of [what, help]) {
      assert.doesNotMatch(text, /[.!]$/, code)
      assert.doesNotMatch(text.replace(/\{\w+\}/g, ''), /[{}]/, code)
    }
  }
})

test('whatever is thrown has a reason on one line', () => {
  assert.equal(reasonOf(new Error('a\n  b')), 'a b')
  assert.equal(reasonOf('plain'), 'plain')
})
