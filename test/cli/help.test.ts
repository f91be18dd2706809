import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sluice } from './sluice.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const EXAMPLES = join(ROOT, 'sql', 'examples')

const helps: [string, readonly RegExp[]][] = [
  [
    '--help',
    [
      /^sluice COMMAND/,
      /sluice demo .*Count words/,
      /sluice run <file>/,
      /sluice explain <file>/,
      /Examples:/,
    ],
  ],
  [
    'demo --help',
    [/^sluice demo/, /SIGKILL/, /no AWS account/, /--seconds .*15\]/s, /--rate/, /--endpoint/, /--keep/],
  ],
  [
    'run --help',
    [/^sluice run FILE\.sql/, /CREATE SINK/, /SIGTERM/, /--set .*\$\{name\}/s, /--log-level/, /Examples:/],
  ],
  // The file is there, and is not run.
  [
    'run sql/examples/word-count.sql --help',
    [/^sluice run FILE\.sql/, /Examples:\n {2}sluice run sql\/examples/],
  ],
  ['explain --help', [/^sluice explain FILE\.sql/, /no network/, /--set/, /Examples:/]],
]

for (const [args, expected] of helps) {
  test(`sluice ${args} teaches`, async () => {
    const { code, stdout, stderr } = await sluice(args.split(' '))
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    for (const pattern of expected) assert.match(stdout, pattern)
    assert.equal(
      stdout.split('\n').find((line) => line.length > 100),
      undefined,
    )
  })
}

test('sluice --version gives the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual(await sluice(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

for (const name of readdirSync(EXAMPLES).filter((file) => file.endsWith('.sql'))) {
  test(`sql/examples/${name} says how to run it and can be explained without a network`, async () => {
    const file = join(EXAMPLES, name)
    assert.match(
      readFileSync(file, 'utf8'),
      new RegExp(`^-- .*\n(?:--.*\n)*-- {3}sluice run sql/examples/${name}`),
    )
    const { code, stdout, stderr } = await sluice(['explain', file])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(
      stdout,
      /^Sink \w+\n─+\n== Plan ==\n[\s\S]*Scan kinesis\[\w+\].*\n\n== Stages, \w+ mode ==\n/,
    )
  })
}

test('sluice explain gives every sink a heading of its own', async () => {
  const { stdout } = await sluice(['explain', join(import.meta.dirname, 'two-sinks.sql'), '--set', 'low=10'])
  assert.deepEqual(stdout.match(/^Sink .*$/gm), ['Sink low', 'Sink high'])
  assert.match(stdout, /n < 10/)
})
