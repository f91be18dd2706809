import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import duckdb from '@duckdb/node-bindings'
import { Binary, Utf8 } from 'apache-arrow'
import { BytesColumn, recordBatch, type Schema } from '../src/batch.ts'
import { type Connection, Database } from '../src/duckdb.ts'
import { writeStrings } from '../src/string-structs.ts'
import type { SeededRandom } from '../src/testing/seeded-random.ts'
import { forSeeds } from './support/seeds.ts'

const SCHEMA: Schema = [
  { name: 'text', type: 'VARCHAR' },
  { name: 'data', type: 'BLOB' },
]

/** Around the length up to which DuckDB keeps a value in its struct, and far beyond it. */
const LENGTHS = [0, 1, 3, 4, 5, 8, 11, 12, 13, 14, 40, 200, 5000]
const CHARACTERS = ['a', 'Z', '0', '"', '\0', 'é', 'ключ', '世', '🌊']

interface Values {
  readonly text: string | null
  readonly data: Uint8Array | null
}

function valuesOf(random: SeededRandom): Values[] {
  const rows = random.pick([0, 1, 2, 2047, 2048, 2049, 5000])
  const most = random.pick(LENGTHS)
  const lengths = LENGTHS.filter((length) => length <= most)
  return Array.from({ length: rows }, () => {
    const length = random.pick(lengths)
    const characters = Array.from({ length }, () => random.pick(CHARACTERS))
    const bytes = Uint8Array.from({ length: random.pick(lengths) }, () => random.below(256))
    return {
      text: random.below(9) === 0 ? null : characters.join(''),
      data: random.below(9) === 0 ? null : bytes,
    }
  })
}

function batchOf(values: readonly Values[]) {
  const text = new BytesColumn()
  const data = new BytesColumn()
  for (const row of values) {
    if (row.text === null) text.pushNull()
    else text.pushText(row.text)
    if (row.data === null) data.pushNull()
    else data.push(row.data)
  }
  return recordBatch(SCHEMA, [text.finish(new Utf8()), data.finish(new Binary())])
}

describe('text and bytes from Arrow', () => {
  let database: Database
  let connection: Connection

  before(async () => {
    database = await Database.open()
    connection = await database.connect()
  })

  after(() => {
    connection.close()
    database.close()
  })

  test('arrive in DuckDB value by value, whatever their lengths', async () => {
    await forSeeds(10, async (random) => {
      const batches = Array.from({ length: random.below(4) }, () => valuesOf(random))
      await connection.attach('fuzzed', SCHEMA, batches.map(batchOf))
      const rows = await connection.rows('SELECT text, data FROM fuzzed')
      const expected = batches.flat()
      assert.equal(rows.length, expected.length)
      for (const [index, row] of rows.entries()) {
        const { text, data } = expected[index] as Values
        assert.equal(row['text'], text, `row ${index}`)
        const bytes = row['data'] === null ? null : Buffer.from(row['data'] as Uint8Array)
        assert.deepEqual(bytes, data === null ? null : Buffer.from(data), `row ${index}`)
      }
    })
  })

  test('are written in bulk, unless there is too little of them', () => {
    const bytes = Buffer.from('some text and some more text')
    const type = duckdb.create_logical_type(duckdb.Type.VARCHAR)
    const vector = duckdb.data_chunk_get_vector(duckdb.create_data_chunk([type]), 0)
    assert.equal(writeStrings(vector, bytes, Int32Array.of(0, 9, bytes.length), 0, 2, true), true)
    assert.equal(writeStrings(vector, bytes, Int32Array.of(0, 5, 9), 0, 2, true), false)
  })

  test('compare, group and join as values that DuckDB made itself', async () => {
    const values = Array.from({ length: 10_000 }, (_, i) => {
      const text = `${i % 100} ${'x'.repeat(i % 20)}`
      return { text, data: Buffer.from(text) }
    })
    await connection.attach('mixed', SCHEMA, [batchOf(values)])
    const made = `SELECT (i % 100) || ' ' || repeat('x', (i % 20)::INTEGER) AS text FROM range(10000) AS r(i)`
    const groups = (from: string) => `SELECT text, count(*) AS n FROM (${from}) GROUP BY text`
    const attached = 'SELECT text FROM mixed'
    const differing = (a: string, b: string) => connection.rows(`(${a}) EXCEPT ALL (${b})`)
    assert.deepEqual(await differing(groups(attached), groups(made)), [])
    assert.deepEqual(await differing(groups(made), groups(attached)), [])
    const joined = `SELECT count(*) FROM mixed AS a JOIN (SELECT DISTINCT text FROM (${made})) AS b ON a.text = b.text`
    assert.equal(await connection.value(joined), 10_000n)
    assert.equal(await connection.value('SELECT count(*) FROM mixed WHERE encode(text) = data'), 10_000n)
  })

  test('what is no UTF-8 becomes NULL alone, though its neighbours would complete it', async () => {
    const text = new BytesColumn()
    const data = new BytesColumn()
    const wave = Buffer.from('🌊')
    const parts = [
      Buffer.from('good enough to be long'),
      wave.subarray(0, 2),
      wave.subarray(2),
      Buffer.from('fine'),
    ]
    for (const part of parts) {
      text.push(part)
      data.push(part)
    }
    const broken = recordBatch(SCHEMA, [text.finish(new Utf8()), data.finish(new Binary())])
    await connection.attach('broken', SCHEMA, [broken])
    const rows = await connection.rows('SELECT text, octet_length(data) AS bytes FROM broken')
    assert.deepEqual(rows, [
      { text: 'good enough to be long', bytes: 22n },
      { text: null, bytes: 2n },
      { text: null, bytes: 2n },
      { text: 'fine', bytes: 4n },
    ])
  })

  test('what a query keeps outlives the batches it came from, under memory pressure', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const rows = 5000
    const valueSql = (batch: string) =>
      `'batch ' || ${batch} || ' row ' || i || ' ' || repeat('y', (i % 300)::INTEGER)`
    await connection.run('CREATE TEMP TABLE kept (text VARCHAR, data BLOB)')
    for (let batch = 0; batch < 30; batch++) {
      const values = Array.from({ length: rows }, (_, i) => {
        const text = `batch ${batch} row ${i} ${'y'.repeat(i % 300)}`
        return { text, data: Buffer.from(text) }
      })
      await connection.attach('passing', SCHEMA, [batchOf(values)])
      const keeping = connection.run(
        'INSERT INTO kept SELECT * FROM passing WHERE octet_length(data) % 3 = 0',
      )
      // While the scan runs, the collector moves and frees what it can.
      collectGarbage()
      await keeping
      await connection.attach('passing', SCHEMA, [])
      collectGarbage()
    }
    const expected = `
      SELECT text, encode(text) AS data FROM (SELECT ${valueSql('b')} AS text FROM range(30) AS x(b), range(${rows}) AS y(i))
      WHERE length(text) % 3 = 0`
    assert.deepEqual(await connection.rows(`FROM kept EXCEPT ALL (${expected})`), [])
    assert.deepEqual(await connection.rows(`(${expected}) EXCEPT ALL FROM kept`), [])
  })
})
