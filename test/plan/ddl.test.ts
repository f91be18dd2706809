import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { parseScript } from '../../src/plan/ddl.ts'

test('a script is read statement by statement', () => {
  const statements = parseScript(`
    -- the stream
    CREATE STREAM clicks ("user id" BIGINT, price DECIMAL(10, 2), tags VARCHAR[], s STRUCT(a INTEGER, b VARCHAR))
      WATERMARK FOR price DELAY '30 seconds'
      USING kinesis OPTIONS (streamName 'it''s', kinesis.region = 'eu-west-1', maxRecordPerRead 10, failOnDataLoss false, x 10s);
    CREATE TABLE pages AS SELECT 1 AS id;
    CREATE OR REPLACE TEMP VIEW big AS SELECT * FROM clicks WHERE price > 10;
    create sink out using console as select 1 -- end
  `)
  assert.deepEqual(statements[0], {
    kind: 'stream',
    name: 'clicks',
    fields: {
      'user id': 'BIGINT',
      price: 'DECIMAL(10, 2)',
      tags: 'VARCHAR[]',
      s: 'STRUCT(a INTEGER, b VARCHAR)',
    },
    watermark: { column: 'price', delay: '30 seconds' },
    format: 'kinesis',
    options: new Map([
      ['streamName', "it's"],
      ['kinesis.region', 'eu-west-1'],
      ['maxRecordPerRead', '10'],
      ['failOnDataLoss', 'false'],
      ['x', '10s'],
    ]),
  })
  assert.deepEqual(
    statements.slice(1).map((statement) => ({
      kind: statement.kind,
      text: ('select' in statement ? statement.select : 'text' in statement ? statement.text : '').trim(),
    })),
    [
      { kind: 'other', text: 'CREATE TABLE pages AS SELECT 1 AS id' },
      { kind: 'view', text: 'SELECT * FROM clicks WHERE price > 10' },
      { kind: 'sink', text: 'select 1 -- end' },
    ],
  )
})

test('a view may have a watermark and drop duplicates within it', () => {
  const [view] = parseScript(
    'CREATE VIEW v WATERMARK FOR "at" DELAY \'10 seconds\' DISTINCT ON (id, "user id") WITHIN WATERMARK AS SELECT 1',
  )
  assert.deepEqual(
    { ...view, select: undefined },
    {
      kind: 'view',
      name: 'v',
      watermark: { column: 'at', delay: '10 seconds' },
      distinct: ['id', 'user id'],
      select: undefined,
    },
  )
  assert.throws(() => parseScript('CREATE VIEW v DISTINCT ON (id) AS SELECT 1'), /expected WITHIN/)
})

test('the text of a select keeps its line and column in the script', () => {
  const script = 'CREATE STREAM s USING kinesis;\nCREATE SINK o USING console\n  AS SELECT a FROM s'
  const sink = parseScript(script)[1]
  assert.ok(sink?.kind === 'sink')
  assert.equal(sink.select.indexOf('SELECT'), script.indexOf('SELECT'))
  assert.equal(sink.select.split('\n').length, 3)
})

const MISTAKES: readonly [string, string][] = [
  ['CREATE STREAM USING kinesis', 'expected USING at or near "kinesis" (line 1, column 21)'],
  ['CREATE STREAM s\n  FORMAT kinesis', 'expected USING at or near "FORMAT" (line 2, column 3)'],
  ['CREATE STREAM s (a) USING kinesis', 'expected a type at or near ")" (line 1, column 19)'],
  [
    'CREATE STREAM s USING kinesis OPTIONS (a',
    'expected a value at the end of the statement (line 1, column 41)',
  ],
  [
    'CREATE STREAM s USING kinesis OPTIONS (a ;',
    'expected a value at the end of the statement (line 1, column 41)',
  ],
  [
    "CREATE STREAM s USING kinesis OPTIONS ('a' 1)",
    'expected the name of an option at or near "\'a\'" (line 1, column 40)',
  ],
  ['CREATE SINK o USING console SELECT 1', 'expected AS at or near "SELECT" (line 1, column 29)'],
  ['CREATE SINK o USING console AS', 'expected a SELECT at the end of the statement (line 1, column 31)'],
]

for (const [script, reason] of MISTAKES) {
  test(`says where a statement is wrong: ${script.replaceAll('\n', ' ')}`, () => {
    assert.throws(
      () => parseScript(script),
      (error) => {
        assert.ok(hasCode(error, 'SQL_SYNTAX'))
        assert.equal(error.params.reason, reason)
        return true
      },
    )
  })
}

test('code in another language is refused, an expression under a name is not', () => {
  for (const text of [
    "CREATE FUNCTION f AS 'com.example.F'",
    "CREATE OR REPLACE TEMPORARY FUNCTION f AS 'com.example.F' USING JAR 'f.jar'",
    "CREATE FUNCTION f(x BIGINT) RETURNS BIGINT LANGUAGE TYPESCRIPT AS 'x => x'",
  ]) {
    assert.throws(
      () => parseScript(text),
      (error) => hasCode(error, 'STREAMING_UNSUPPORTED') && error.params.key === 'callback-in-sql',
    )
  }
  assert.equal(parseScript('CREATE FUNCTION f(x) AS x + 1')[0]?.kind, 'other')
})
