import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import * as arrow from 'apache-arrow'
import { transform } from 'esbuild'
import { col, count, lit, sum } from '../../src/api/functions.ts'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { hasCode, type SluiceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

describe('a function in TypeScript', () => {
  let session: Session

  beforeEach(async () => {
    session = await Session.create({ log: silentLogger })
  })
  afterEach(() => session.close())

  const value = async (sql: string) =>
    Object.values((await session.sql(`SELECT ${sql} AS v`).collect())[0]!)[0]

  /** A type, a value of it in SQL, and that value in TypeScript. */
  const VALUES: readonly (readonly [type: string, sql: string, js: unknown])[] = [
    ['BOOLEAN', 'true', true],
    ['TINYINT', '-128', -128],
    ['SMALLINT', '-32768', -32768],
    ['INTEGER', '2147483647', 2147483647],
    ['BIGINT', '-9223372036854775808', -(2n ** 63n)],
    ['HUGEINT', '170141183460469231731687303715884105727', 2n ** 127n - 1n],
    ['UTINYINT', '255', 255],
    ['USMALLINT', '65535', 65535],
    ['UINTEGER', '4294967295', 4294967295],
    ['UBIGINT', '18446744073709551615', 2n ** 64n - 1n],
    ['FLOAT', '1.5', 1.5],
    ['DOUBLE', '1e300', 1e300],
    ['DECIMAL(4,1)', '123.4', 123.4],
    ['DECIMAL(18,3)', '-1.250', -1.25],
    ['DECIMAL(38,2)', '12345678.25', 12345678.25],
    ['VARCHAR', "'grüße, and longer than twelve bytes'", 'grüße, and longer than twelve bytes'],
    ['BLOB', "'\\x00\\xFF'::BLOB", Buffer.of(0, 255)],
    ['DATE', "DATE '1969-12-31'", new Date('1969-12-31T00:00:00Z')],
    ['TIME', "TIME '00:00:01.000002'", 1000002n],
    ['TIMESTAMP', "TIMESTAMP '2026-01-02 03:04:05.678'", new Date('2026-01-02T03:04:05.678Z')],
    ['TIMESTAMP WITH TIME ZONE', "TIMESTAMPTZ '2026-01-02 03:04:05+02'", new Date('2026-01-02T01:04:05Z')],
    ['INTEGER[]', '[1, NULL, 3]', [1, null, 3]],
    ['VARCHAR[][]', "[['a'], [], NULL]", [['a'], [], null]],
    ['STRUCT(a INTEGER, "b c" VARCHAR)', "{'a': 1, 'b c': NULL}", { a: 1, 'b c': null }],
    [
      'MAP(VARCHAR, BIGINT)',
      "MAP {'x': 1, 'y': NULL}",
      [
        { key: 'x', value: 1n },
        { key: 'y', value: null },
      ],
    ],
    [
      'STRUCT(s STRUCT(d DECIMAL(9,2)[]), t TIMESTAMP)[]',
      "[{'s': {'d': [1.25]}, 't': TIMESTAMP '2026-01-01'}]",
      [{ s: { d: [1.25] }, t: new Date('2026-01-01T00:00:00Z') }],
    ],
  ]

  test('takes and gives every type, row by row and as Arrow vectors, with NULL among them', async () => {
    for (const [index, [type, sql, js]] of VALUES.entries()) {
      let seen: unknown
      const types = { arguments: [type], returns: type, nulls: 'pass' } as const
      session.udf.register(
        `same_${index}`,
        (x) => {
          seen = x ?? seen
          return x
        },
        types,
      )
      session.udf.register(`vector_${index}`, (x: arrow.Vector) => x, { ...types, vectorized: true })
      const table = `(SELECT CASE WHEN i % 3 > 0 THEN (${sql})::${type} END AS x FROM range(9) AS t(i))`
      const differ = await value(
        `(SELECT count(*) FROM ${table} WHERE same_${index}(x) IS DISTINCT FROM x OR vector_${index}(x) IS DISTINCT FROM x)`,
      )
      assert.equal(differ, 0n, type)
      assert.equal(
        await value(`(SELECT count(same_${index}(x)) + count(vector_${index}(x)) FROM ${table})`),
        12n,
        type,
      )
      assert.deepEqual(seen, js, type)
    }
  })

  test('is not called for NULL unless it asks to be', async () => {
    const calls: unknown[][] = []
    const code = (...values: unknown[]) => {
      calls.push(values)
      return values[0] === null ? 'none' : 'some'
    }
    const types = { arguments: ['INTEGER', 'VARCHAR'], returns: 'STRING' }
    session.udf.register('skips', code, types)
    session.udf.register('passes', code, { ...types, nulls: 'pass' })
    const rows = "(VALUES (1, 'a'), (NULL, 'b'), (3, NULL)) AS t(n, s)"
    assert.deepEqual(await value(`(SELECT list(skips(n, s)) FROM ${rows})`), ['some', null, null])
    assert.deepEqual(calls, [[1, 'a']])
    assert.deepEqual(await value(`(SELECT list(passes(n, s)) FROM ${rows})`), ['some', 'none', 'some'])
    assert.equal(calls.length, 4)
    session.udf.register(
      'adds',
      (a: arrow.Vector, b: arrow.Vector) =>
        Float64Array.from(a.toArray() as Float64Array, (x, i) => x + (b.get(i) ?? 0)),
      { arguments: ['DOUBLE', 'DOUBLE'], returns: 'DOUBLE', vectorized: true },
    )
    assert.deepEqual(await value('(SELECT list(adds(a, b)) FROM (VALUES (1, 2), (3, NULL)) AS t(a, b))'), [
      3,
      null,
    ])
    session.udf.register('seven', () => 7, { arguments: [], returns: 'INTEGER' })
    session.udf.register('twos', (rows: number) => Array(rows).fill(2), {
      arguments: [],
      returns: 'INTEGER',
      vectorized: true,
    })
    assert.deepEqual(await value('(SELECT list(seven() * twos()) FROM range(3))'), [14, 14, 14])
  })

  test('stands wherever an expression may, over streams and tables alike', async () => {
    const half = session.udf.register('half', (n: bigint) => n / 2n, {
      arguments: ['BIGINT'],
      returns: 'BIGINT',
    })
    const odd = session.udf.register('odd', (n: bigint) => n % 2n === 1n, {
      arguments: ['LONG'],
      returns: 'BOOLEAN',
    })
    const rows: Row[] = Array.from({ length: 5000 }, (_, n) => ({ n: BigInt(n) }))
    const stream = new MemoryStream({ n: 'BIGINT' }, { batchRows: () => 1700 })
    stream.add(...rows)
    session.readStream.format(stream).load().createOrReplaceTempView('numbers')
    await session.run('CREATE TABLE all_numbers AS SELECT range AS n FROM range(5000)')
    await session.run('CREATE TABLE names AS SELECT range AS id, range::VARCHAR AS name FROM range(3)')
    const text = (table: string) =>
      `SELECT half(n % 6) AS h, sum(half(n)) AS s, count(*) FILTER (WHERE odd(n)) AS odds, max(name) AS name, list_max(list_transform([1, 2], x -> half(x + 8))) AS l
       FROM ${table} JOIN names ON half(n % 6) = id WHERE NOT odd(n // 7) GROUP BY half(n % 6) HAVING half(count(*)) > 0`
    const run = async (frame: ReturnType<Session['sql']>, name: string) => {
      const query = await frame.writeStream
        .outputMode('complete')
        .format('memory')
        .queryName(name)
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
      return session.sql(`SELECT * FROM ${name} ORDER BY ALL`).collect()
    }
    assert.deepEqual(
      await run(session.sql(text('numbers')), 'by_sql'),
      await session.sql(`${text('all_numbers')} ORDER BY ALL`).collect(),
    )
    const frame = session
      .table('numbers')
      .where(odd('n'))
      .groupBy(half(col('n').mod(lit(4))).as('h'))
      .agg(sum(half('n')).as('s'), count().as('c'))
    const expected = await session
      .sql(
        'SELECT (n % 4) // 2 AS h, sum(n // 2) AS s, count(*) AS c FROM all_numbers WHERE n % 2 = 1 GROUP BY h ORDER BY ALL',
      )
      .collect()
    assert.deepEqual(await run(frame, 'by_column'), expected)
    assert.match(
      await frame.explain(),
      /^Local half\(BIGINT\) -> BIGINT: TypeScript, which runs in this process only\nLocal odd\(BIGINT\) -> BOOLEAN:/m,
    )
  })

  test('that throws, or answers what does not fit, fails with its name, and never with the data', async () => {
    const failing: readonly (readonly [name: string, code: (x: string) => unknown, reason: RegExp])[] = [
      [
        'throws',
        (x) => {
          throw new TypeError(`cannot use ${x}\n    at ${x}:1:1`)
        },
        /it threw TypeError at .*udf\.test\.ts:\d+:\d+/,
      ],
      [
        'throws_text',
        (x) => {
          throw x
        },
        /it threw a string/,
      ],
      ['answers_text', (x) => x, /it answered a string where BIGINT is due/],
      ['answers_fraction', () => 1.5, /it answered a fraction where BIGINT is due/],
      ['answers_too_much', () => 2n ** 63n, /it answered a number out of range where BIGINT is due/],
      [
        'answers_later',
        (x) => Promise.reject(new Error(x)),
        /it answered a promise; rows are not waited for/,
      ],
    ]
    for (const [name, code, reason] of failing) {
      session.udf.register(name, code, { arguments: ['VARCHAR'], returns: 'BIGINT' })
      await assert.rejects(
        session.sql(`SELECT ${name}(x) FROM (VALUES ('secret'), ('secret')) AS t(x)`).collect(),
        (error) => {
          assert.ok(hasCode(error, 'UDF_FAILED'), String(error))
          assert.match(error.message, reason)
          assert.ok(error.message.includes(`'${name}'`) && !error.message.includes('secret'))
          return true
        },
      )
    }
    session.udf.register('too_short', () => [1], {
      arguments: ['BIGINT'],
      returns: 'BIGINT',
      vectorized: true,
    })
    await assert.rejects(
      session.sql('SELECT too_short(i) FROM range(3) AS t(i)').collect(),
      /it answered a column of 1 rows where a column of 3 rows is due/,
    )
    session.udf.register('other_vector', () => arrow.vectorFromArray([1, 2, 3]), {
      arguments: ['BIGINT'],
      returns: 'BIGINT',
      vectorized: true,
    })
    await assert.rejects(
      session.sql('SELECT other_vector(i) FROM range(3) AS t(i)').collect(),
      /an Arrow vector of Float64 where an Arrow vector of Int64 is due/,
    )
  })

  test('is refused when it is async, hides a function of DuckDB, or changes its types', async () => {
    const types = { arguments: ['BIGINT'], returns: 'BIGINT' }
    const same = (x: unknown) => x
    assert.throws(() => session.udf.register('later', async (x: unknown) => x, types), {
      code: 'UDF_INVALID',
    })
    assert.throws(() => session.udf.register('no name', same, types), { code: 'UDF_INVALID' })
    assert.throws(() => session.udf.register('u', same, { ...types, returns: 'UUID' }), {
      code: 'UDF_INVALID',
    })
    assert.throws(() => session.udf.register('u', same, { ...types, arguments: ['BIG INT'] }), {
      code: 'TYPE_UNKNOWN',
    })
    session.udf.register('same', same, types)
    session.udf.register('SAME', () => 5n, { arguments: ['LONG'], returns: 'INT8' })
    assert.equal(await value('same(1)'), 5n)
    assert.throws(
      () => session.udf.register('same', same, { ...types, returns: 'INTEGER' }),
      /registered as SAME\(BIGINT\) -> BIGINT already/,
    )
    session.udf.register('lower', () => 'x', { arguments: ['VARCHAR'], returns: 'VARCHAR' })
    await assert.rejects(session.sql("SELECT lower('A')").collect(), { code: 'UDF_INVALID' })
  })

  test('that is not deterministic is called for every row', async () => {
    let n = 0n
    session.udf.register('next_number', () => n++, { arguments: [], returns: 'BIGINT', deterministic: false })
    assert.deepEqual(await value('(SELECT list(next_number() ORDER BY i) FROM range(3) AS t(i))'), [
      0n,
      1n,
      2n,
    ])
  })
})

test('a batch that a function stopped comes again with the next code, and state knows only its types', async () => {
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-udf-'))
  const stream = new MemoryStream({ n: 'BIGINT' }, { batchRows: () => 3 })
  stream.add(...Array.from({ length: 9 }, (_, n) => ({ n: BigInt(n) })))
  const written = new Map<number, Row[]>()
  const start = async (
    code: (n: bigint) => unknown,
    argument = 'BIGINT',
  ): Promise<SluiceError | undefined> => {
    const session = await Session.create({ log: silentLogger })
    try {
      session.udf.register('bucket', code, { arguments: [argument], returns: 'BIGINT' })
      session.readStream.format(stream).load().createOrReplaceTempView('numbers')
      const query = await session
        .sql('SELECT bucket(n) AS b, count(*) AS c FROM numbers GROUP BY bucket(n)')
        .writeStream.outputMode('update')
        .option('checkpointLocation', checkpoint)
        .trigger({ availableNow: true })
        .foreachBatch(async (batch, id) => void written.set(id, await batch.toObjects()))
        .start()
      await query.awaitTermination().catch(() => undefined)
      return query.exception
    } finally {
      await session.close()
    }
  }
  try {
    const failed = await start((n) => {
      if (n === 4n) throw new RangeError(`bad ${n}`)
      return n % 2n
    })
    assert.ok(
      hasCode(failed, 'UDF_FAILED') && /'bucket' failed in batch 1: it threw RangeError/.test(failed.message),
      failed?.message,
    )
    assert.ok(failed.cause instanceof RangeError)
    assert.deepEqual([...written.keys()], [0])
    await assert.rejects(
      start((n) => n % 2n, 'HUGEINT'),
      { code: 'CHECKPOINT_INCOMPATIBLE' },
    )
    assert.equal(await start((n) => n % 2n), undefined)
    const last = new Map([...written.values()].flat().map((row) => [row['b'], row['c']]))
    assert.deepEqual(
      last,
      new Map([
        [0n, 5n],
        [1n, 4n],
      ]),
    )
  } finally {
    await rm(checkpoint, { recursive: true, force: true })
  }
})

test('the examples of docs/user-code.md do what they say', async () => {
  const root = join(import.meta.dirname, '..', '..')
  const folder = await mkdtemp(join(tmpdir(), 'sluice-docs-'))
  try {
    const page = await readFile(join(root, 'docs', 'user-code.md'), 'utf8')
    const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block as string)
    assert.ok(blocks.length > 0)
    for (const [index, block] of blocks.entries()) {
      const source = block
        .replace("'sluice'", `'${pathToFileURL(join(root, 'dist/index.js')).href}'`)
        .replace("'sluice/testing'", `'${pathToFileURL(join(root, 'dist/testing/index.js')).href}'`)
      const [, expected] = /^\/\/ prints (.*)$/m.exec(block) ?? []
      const file = join(folder, `example-${index}.mjs`)
      const { code } = await transform(`${source}\nexport default shown`, { loader: 'ts' })
      await writeFile(file, code)
      const { default: shown } = await import(pathToFileURL(file).href)
      const printed = JSON.stringify(shown, (_, item) => (typeof item === 'bigint' ? Number(item) : item))
      assert.equal(printed, JSON.stringify(JSON.parse(expected as string)))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
