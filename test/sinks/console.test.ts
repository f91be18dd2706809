import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { silentLogger } from '../../src/log.ts'
import { consoleFormat } from '../../src/sinks/console.ts'
import { renderTable } from '../../src/sinks/render-table.ts'
import { Bench } from '../conformance/sink.ts'

async function printed(sql: string, options = {}): Promise<string> {
  const bench = await Bench.open()
  const output = new PassThrough({ encoding: 'utf8' })
  try {
    await bench.write(await bench.open(consoleFormat(output), sql, 'append', options), 7, sql)
  } finally {
    bench.close()
  }
  return String(output.read())
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

test('what turns or hides text, and what breaks a line, is shown as an escape', async () => {
  const marks = [0x61c, 0x200b, 0x2028, 0x2029, 0x2066, 0xfeff]
  const sql = `SELECT ${marks.map((mark) => `chr(${mark})`).join(' || ')} AS a`
  const escapes = marks.map((mark) => `\\u${mark.toString(16).padStart(4, '0')}`).join('')
  assert.ok((await printed(sql, { truncate: false })).includes(`| ${escapes} |`))
})

test('names cannot drive the terminal either', async () => {
  const output = new PassThrough({ encoding: 'utf8' })
  const bench = await Bench.open()
  const sink = await consoleFormat(output).open({
    options: new Map(),
    queryId: 'query 1',
    queryName: 'red\u001b[31m',
    outputMode: 'append',
    schema: [],
    log: silentLogger,
    clock: bench.clock,
    stop: bench.stopping.signal,
  })
  await bench.write(sink, 0, 'SELECT 1 AS "a\u001b[2J"')
  bench.close()
  const text = String(output.read())
  assert.match(text, /Batch: 0 of red\\u001b\[31m/)
  assert.match(text, /a\\u001b\[2J/)
  assert.equal(text.includes('\u001b'), false)
})

test('every kind of value reads well', async () => {
  const sql = `
    SELECT * FROM (VALUES
      (1, 2.50, INTERVAL 90 MINUTE, [1, NULL], {'page': 'home', 'n': 1}, MAP {'k': 1}, true,
       TIMESTAMP '2026-01-02 03:04:05.25', TIMESTAMPTZ '2026-01-02 03:04:05+02', DATE '2026-01-02'),
      (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
    ) t(i, d, v, l, s, m, b, ts, tz, dt)`
  assert.equal(
    await printed(sql, { truncate: false }),
    [
      '---------------',
      'Batch: 7 of out',
      '---------------',
      '+------+------+----------+-----------+------------------------+-------+------+------------------------+------------------------+------------+',
      '|    i |    d | v        | l         | s                      | m     | b    | ts                     | tz                     | dt         |',
      '|------|------|----------|-----------|------------------------|-------|------|------------------------|------------------------|------------|',
      "|    1 | 2.50 | 01:30:00 | [1, NULL] | {'page': home, 'n': 1} | {k=1} | true | 2026-01-02 03:04:05.25 | 2026-01-02 01:04:05+00 | 2026-01-02 |",
      '| NULL | NULL | NULL     | NULL      | NULL                   | NULL  | NULL | NULL                   | NULL                   | NULL       |',
      '+------+------+----------+-----------+------------------------+-------+------+------------------------+------------------------+------------+',
      '',
      '',
    ].join('\n'),
  )
})

test('bytes show as text where they are printable, else as hex', async () => {
  const sql = `SELECT encode('é!') AS a, encode('{' || chr(10) || '}') AS b, '\\xFF\\x00'::BLOB AS c,
    '\\x00a'::BLOB AS d, ''::BLOB AS e, NULL::BLOB AS f`
  assert.match(await printed(sql), /\| é! \| \{\\n\} \| \[FF 00\] \| \[00 61\] \| {3}\| NULL \|/)
})

test('columns of one name show their own values', async () => {
  const bench = await Bench.open()
  const sql = 'SELECT 1 AS c1, 2 AS "c0", 3 AS c1'
  const text = await renderTable(bench.connection, sql, { rows: 5, truncate: 20 })
  assert.match(text, /\| c1 \| c0 \| c1 \|/)
  assert.match(text, /\| {2}1 \| {2}2 \| {2}3 \|/)
  bench.close()
})

test('long values and many rows are cut, and it says so', async () => {
  const sql = "SELECT i, repeat('abc', 10) AS s FROM range(25) r(i)"
  const cut = await printed(sql)
  assert.match(cut, /\| abcabcabcabcabcab\.\.\. \|/)
  assert.match(cut, /only showing top 20 rows/)
  const all = await printed(sql, { numRows: 30, truncate: 'false' })
  assert.match(all, /\| (?:abc){10} \|/)
  assert.doesNotMatch(all, /only showing/)
  const one = await printed(sql, { truncate: 5, numRows: 1 })
  assert.match(one, /\| ab\.\.\. \|/)
  assert.match(one, /only showing top 1 row\n/)
  assert.match(await printed("SELECT 'abcd' AS s", { truncate: 3 }), /\| abc \|/)
  assert.match(await printed("SELECT repeat('日', 25) AS s"), /\| 日{17}\.\.\. \|/)
})

test('as many rows as are shown are not said to be cut', async () => {
  assert.doesNotMatch(await printed('FROM range(3) r(i)', { numRows: 3 }), /only showing/)
})

test('the batch fails when the output does', async () => {
  const bench = await Bench.open()
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE: gone')) })
  const sink = await bench.open(consoleFormat(broken), 'SELECT 1 AS a', 'append')
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS a'), /EPIPE: gone/)
  await assert.rejects(bench.write(sink, 0, 'SELECT 1 AS a'))
  bench.close()
})

test('a batch waits until the output has taken it', async () => {
  const bench = await Bench.open()
  const steps: string[] = []
  const output = new Writable({
    write: (_chunk, _encoding, done) => {
      setImmediate(() => {
        steps.push('taken')
        done()
      })
    },
  })
  const sink = await bench.open(consoleFormat(output), 'SELECT 1 AS a', 'append')
  await sink.write(0, await bench.relation('SELECT 1 AS a'))
  steps.push('written')
  assert.deepEqual(steps, ['taken', 'written'])
  bench.close()
})

test('an empty batch says so', async () => {
  assert.match(await printed('SELECT 1 AS a WHERE false'), /\| a \|[\s\S]*\(no rows\)/)
})

test('a wrong truncate is refused', async () => {
  for (const truncate of ['some', '-1', '1.5', '9'.repeat(30)]) {
    await assert.rejects(printed('SELECT 1 AS a', { truncate }), { code: 'OPTION_INVALID' })
  }
})
