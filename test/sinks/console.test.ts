import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consoleFormat } from '../../src/sinks/console.ts'
import { Bench } from '../conformance/sink.ts'

async function printed(sql: string, options = {}): Promise<string> {
  const bench = await Bench.open()
  const texts: string[] = []
  try {
    const sink = await bench.open(
      consoleFormat({ write: (text) => texts.push(text) }),
      sql,
      'append',
      options,
    )
    await bench.write(sink, 7, sql)
  } finally {
    bench.close()
  }
  return texts.join('')
}

test('a batch is a table, numbers to the right', async () => {
  const sql = "SELECT * FROM (VALUES ('home', 12, 1.50), ('ключ 日本', 3, NULL)) t(page, views, price)"
  assert.equal(
    await printed(sql),
    [
      '---------------',
      'Batch: 7 of out',
      '---------------',
      '+-----------+-------+-------+',
      '| page      | views | price |',
      '|-----------|-------|-------|',
      '| home      |    12 |  1.50 |',
      '| ключ 日本 |     3 |  NULL |',
      '+-----------+-------+-------+',
      '',
      '',
    ].join('\n'),
  )
})

test('data cannot drive the terminal', async () => {
  const text = await printed("SELECT chr(27) || '[2J' || chr(10) || chr(9) || chr(155) || chr(8238) AS a", {
    truncate: false,
  })
  assert.match(text, /\\u001b\[2J\\n\\t\\u009b\\u202e/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
})

test('bytes show as text where they are text', async () => {
  const text = await printed("SELECT encode('é!') AS b, '\\xFF\\x00'::BLOB AS c")
  assert.match(text, /\| é! \| \\xFF\\x00 \|/)
})

test('long values and many rows are cut, and it says so', async () => {
  const sql = "SELECT i, repeat('abc', 10) AS s FROM range(25) r(i)"
  const cut = await printed(sql)
  assert.match(cut, /\| abcabcabcabcabcab\.\.\. \|/)
  assert.match(cut, /only showing top 20 rows/)
  const all = await printed(sql, { numRows: 30, truncate: 'false' })
  assert.match(all, /\| (?:abc){10} \|/)
  assert.doesNotMatch(all, /only showing/)
  assert.match(await printed(sql, { truncate: 5, numRows: 1 }), /\| ab\.\.\. \|/)
})

test('an empty batch says so', async () => {
  assert.match(await printed('SELECT 1 AS a WHERE false'), /\| a \|[\s\S]*\(no rows\)/)
})

test('a wrong truncate is refused', async () => {
  await assert.rejects(printed('SELECT 1 AS a', { truncate: 'some' }), { code: 'OPTION_INVALID' })
})
