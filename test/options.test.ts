import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../src/errors.ts'
import {
  didYouMean,
  type OptionTable,
  type OptionValue,
  parseDuration,
  parseOptions,
} from '../src/options.ts'

const TABLE = {
  streamName: { kind: 'text', required: true, doc: 'what to read', aliases: ['kinesis.streamName'] },
  interval: { kind: 'duration', default: '10s', min: 100, doc: 'how often' },
  rows: { kind: 'count', default: '5', min: 1, max: 10, doc: 'how many' },
  size: { kind: 'bytes', default: '64MiB', doc: 'how large' },
  strict: { kind: 'boolean', default: 'true', doc: 'whether' },
  mode: { kind: 'text', oneOf: ['Fast', 'Safe'], doc: 'which' },
  key: { kind: 'secret', doc: 'secret' },
} as const satisfies OptionTable

const parse = (given: Record<string, OptionValue>) =>
  parseOptions('source test', TABLE, new Map(Object.entries(given)))

test('names and values are read without regard to case, aliases included', () => {
  assert.deepEqual(
    parse({ 'KINESIS.STREAMNAME': 's', INTERVAL: '5m', Rows: 7, size: '1MB', STRICT: 'False', mode: 'safe' }),
    {
      streamName: 's',
      interval: 300_000,
      rows: 7,
      size: 1_000_000,
      strict: false,
      mode: 'Safe',
    },
  )
  assert.deepEqual(parse({ streamName: 's' }), {
    streamName: 's',
    interval: 10_000,
    rows: 5,
    size: 64 * 1024 * 1024,
    strict: true,
  })
})

test('what does not fit is refused with what would', () => {
  const refusals: readonly [Record<string, OptionValue>, string, RegExp][] = [
    [{}, 'OPTION_MISSING', /'streamName' \(what to read\)/],
    [{ streamName: ' ' }, 'OPTION_MISSING', /streamName/],
    [{ streamName: 's', intervall: '1s' }, 'OPTION_UNKNOWN', /did you mean 'interval'\?/],
    [{ streamName: 's', zzzzzzzz: 1 }, 'OPTION_UNKNOWN', /known: streamName, interval/],
    [
      { streamName: 's', 'kinesis.streamName': 't' },
      'OPTION_TWICE',
      /'streamName' and as 'kinesis.streamName'/,
    ],
    [{ streamName: 's', interval: 'soon' }, 'OPTION_INVALID', /500ms, 10s, 5m or 1h/],
    [{ streamName: 's', interval: '99ms' }, 'OPTION_INVALID', /at least 100 ms/],
    [{ streamName: 's', interval: '-5s' }, 'OPTION_INVALID', /duration/],
    [{ streamName: 's', rows: 11 }, 'OPTION_INVALID', /at most 10/],
    [{ streamName: 's', rows: 1.5 }, 'OPTION_INVALID', /whole number/],
    [{ streamName: 's', rows: '1e309' }, 'OPTION_INVALID', /whole number/],
    [{ streamName: 's', strict: 'yes' }, 'OPTION_INVALID', /true or false/],
    [{ streamName: 's', mode: 'slow' }, 'OPTION_INVALID', /Fast \| Safe/],
    [{ streamName: 's', size: 'big' }, 'OPTION_INVALID', /64MiB/],
  ]
  for (const [given, code, text] of refusals) {
    assert.throws(
      () => parse(given),
      (error) => {
        assert.ok(
          error instanceof Error && hasCode(error, code as 'OPTION_INVALID'),
          `${JSON.stringify(given)}: ${String(error)}`,
        )
        assert.match(error.message, text)
        return true
      },
    )
  }
})

test('durations are in milliseconds', () => {
  const texts = {
    '0': 0,
    '250': 250,
    '500ms': 500,
    '1.5s': 1500,
    '2 minutes': 120_000,
    '1h': 3_600_000,
    '2 Days': 172_800_000,
  }
  for (const [text, ms] of Object.entries(texts)) assert.equal(parseDuration(text), ms)
  for (const text of ['', 's', '1 fortnight', '1e3', '-1', '1s 2s'])
    assert.equal(parseDuration(text), undefined)
})

test('only a near name is proposed', () => {
  assert.equal(didYouMean('consol', ['console', 'memory']), "did you mean 'console'?")
  assert.equal(didYouMean('kafka', ['console', 'memory']), 'known: console, memory')
})
