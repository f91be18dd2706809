import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lex, quoteReserved, splitStatements } from '../../src/plan/lex.ts'

const HARD = `SELECT 'it''s; not', "a;b", $$ ; $$, $x$ ' $x$ -- ; "\n/* ; ' */ FROM t WHERE a = E'\\'' AND b::INT > 1.5`

test('the pieces of a text joined give the text', () => {
  for (const text of [HARD, '', "'unclosed", '"unclosed', '/* unclosed', 'ключ = 1', 'a\u0000b']) {
    assert.equal(
      lex(text)
        .map((token) => token.text)
        .join(''),
      text,
    )
  }
})

test('statements end at semicolons that stand in no string, name or comment', () => {
  const script = `${HARD};\n\n-- nothing\n; SELECT 2 ;`
  assert.deepEqual(splitStatements(script), [
    { text: HARD, at: 0 },
    { text: 'SELECT 2', at: script.indexOf('SELECT 2') },
  ])
  assert.deepEqual(splitStatements(' -- only a comment\n ; ;'), [])
})

test('words that streaming uses as names are quoted where they are names', () => {
  assert.equal(quoteReserved('window (at, 1)'), '"window" ("at", 1)')
  assert.equal(
    quoteReserved('SELECT window.start, window FROM t WINDOW w AS (ORDER BY x)'),
    'SELECT "window".start, "window" FROM t WINDOW w AS (ORDER BY x)',
  )
  assert.equal(
    quoteReserved('sum(x) OVER w FROM t WINDOW w AS (ORDER BY at)'),
    'sum(x) OVER w FROM t WINDOW w AS (ORDER BY "at")',
  )
  assert.equal(quoteReserved("at AT TIME ZONE 'UTC'"), `"at" AT TIME ZONE 'UTC'`)
  assert.equal(quoteReserved(`'at' "at" -- at`), `'at' "at" -- at`)
})
