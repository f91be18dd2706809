// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have places of this form
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillValues } from '../../src/cli/script-values.ts'
import { hasCode } from '../../src/errors.ts'

const cases: [string, string, Record<string, string>, Record<string, string>, string][] = [
  ['takes --set before the environment', "'${a}'", { a: 'set' }, { a: 'env' }, "'set'"],
  ['takes the environment before the default', "'${a:-none}'", {}, { a: 'env' }, "'env'"],
  ['takes the default when there is nothing else', "'${a:-us-east-1}'", {}, {}, "'us-east-1'"],
  ['takes an empty default', "'${a:-}'", {}, {}, "''"],
  ['takes an empty value', "'${a:-none}'", { a: '' }, {}, "''"],
  ['doubles quotes within a text', "'${a}'", { a: "it's" }, {}, "'it''s'"],
  ['puts SQL in as it is outside of a text', 'LIMIT ${n}', { n: "10 -- '" }, {}, "LIMIT 10 -- '"],
  [
    'leaves comments alone',
    "-- don't ${a}\n/* ' ${b} */ '${c}'",
    { c: '1' },
    {},
    "-- don't ${a}\n/* ' ${b} */ '1'",
  ],
  ['does not fill a value that looks like a place', "'${a}'", { a: '${b}' }, {}, "'${b}'"],
  ['fills several places of one text', "'${a}/${b:-x}'", { a: '1' }, {}, "'1/x'"],
  ['leaves what is no place', "'${} ${1a} $a {a}'", {}, { a: 'x' }, "'${} ${1a} $a {a}'"],
]

for (const [name, script, settings, environment, expected] of cases) {
  test(name, () => {
    assert.equal(fillValues('a.sql', script, new Map(Object.entries(settings)), environment), expected)
  })
}

test('names all values that are missing', () => {
  assert.throws(
    () => fillValues('a.sql', "'${one}' '${two:-2}' ${three} ${one}", new Map(), {}),
    (error) => hasCode(error, 'SCRIPT_VALUE_MISSING') && error.params.names === 'one, three',
  )
})

test('refuses a value that the script has no place for, with the nearest name', () => {
  assert.throws(
    () => fillValues('a.sql', "'${streamName}'", new Map([['streamNme', 'x']]), {}),
    (error) => hasCode(error, 'SCRIPT_VALUE_UNUSED') && /did you mean 'streamName'/.test(error.message),
  )
})
