import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorText } from '../../src/cli/error-text.ts'
import { hideArguments, hideOptions, hideVariables } from '../../src/cli/secrets.ts'
import { SluiceError } from '../../src/errors.ts'

const plain = { width: 60, colour: false, verbose: false }
const cause = new Error('connect ECONNREFUSED')
const failed = new SluiceError(
  'QUERY_FAILED',
  { reason: 'the store went away while batch 7 was being written' },
  { cause },
)

test('gives code, what failed and what to do, within the width of the terminal', () => {
  assert.equal(
    errorText(failed, plain),
    [
      'error QUERY_FAILED',
      '  the query stopped: the store went away while batch 7 was',
      '  being written',
      '',
      '  To fix: see the cause of this error; the next start',
      '  continues after the last committed batch.',
      '',
    ].join('\n'),
  )
})

test('shows causes and stacks only when asked', () => {
  assert.doesNotMatch(errorText(failed, plain), /ECONNREFUSED|\n +at /)
  assert.match(
    errorText(failed, { ...plain, verbose: true }),
    /^caused by Error: connect ECONNREFUSED\n +at /m,
  )
})

test('says of what is no error of ours that it is a defect', () => {
  const text = errorText(new TypeError("Cannot read properties of undefined (reading 'x')"), plain)
  assert.match(text, /^error UNEXPECTED\n {2}Cannot read properties/)
  assert.match(text, /defect of Sluice/)
})

test('never shows what is secret, wherever it was given', () => {
  hideVariables([
    ['AWS_SECRET_ACCESS_KEY', 'canary-variable'],
    ['AWS_WEB_IDENTITY_TOKEN_FILE', '/var/run/token'],
  ])
  hideArguments(['dbPassword=canary-argument', '--set=apiToken=canary-joined', 'plain=shown'])
  hideOptions(
    "OPTIONS (awsSecretKey 'canary-option', \"kinesis.sessionToken\" = 'canary-quoted', streamName 'clicks')",
  )
  const reason =
    'canary-variable canary-argument canary-joined canary-option canary-quoted /var/run/token shown clicks'
  for (const verbose of [false, true]) {
    const text = errorText(new SluiceError('QUERY_FAILED', { reason }), { ...plain, width: 200, verbose })
    assert.doesNotMatch(text, /canary/)
    assert.match(text, /\/var\/run\/token shown clicks/)
  }
})
