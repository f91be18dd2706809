import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Binary, Int64, type RecordBatch, Utf8 } from 'apache-arrow'
import { BytesColumn, Int64Column, recordBatch, type Schema } from '../src/batch.ts'
import { type Connection, Database } from '../src/duckdb.ts'
import type { SeededRandom } from '../src/testing/seeded-random.ts'
import { forSeeds } from './support/seeds.ts'

const SCHEMA: Schema = [
  { name: 'text', type: 'VARCHAR' },
  { name: 'data', type: 'BLOB' },
  { name: 'n', type: 'BIGINT' },
]

/** Around a byte of validity bits, a word of them, a vector and the most that one call hands over. */
const ROWS = [0, 1, 7, 8, 63, 64, 65, 500, 2047, 2048, 2049, 5000]
const MANY = [40_000, 70_001]

function randomBatch(random: SeededRandom, rows: number): RecordBatch {
  const [text, data, n] = [new BytesColumn(), new BytesColumn(), new Int64Column()]
  const nullsOf = random.pick([0, 0, 3, 300])
  const isNull = () => nullsOf > 0 && random.below(nullsOf) === 0
  const filling = 'ß'.repeat(random.pick([0, 1, 8, 60]))
  // Some rows are so large that a call takes few of them.
  const large = rows <= 100 ? random.pick([0, 0, 300_000]) : 0
  for (let row = 0; row < rows; row++) {
    if (isNull()) text.pushNull()
    else text.pushText(`${row} ${filling}`)
    if (isNull()) data.pushNull()
    else data.push(Buffer.alloc(random.below(20) + large, row))
    if (isNull()) n.pushNull()
    else n.push(BigInt(row) - 2n ** 40n)
  }
  const columns = [text.finish(new Utf8()), data.finish(new Binary()), n.finish(new Int64())]
  const batch = recordBatch(SCHEMA, columns)
  return random.below(8) === 0 ? batch.slice(Math.floor(rows / 3)) : batch
}

describe('attached records', () => {
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

  test('are the same rows in the same order, one by one or as lists', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    await forSeeds(12, async (random) => {
      const sizes = Array.from({ length: random.below(9) }, () => random.pick(ROWS))
      if (random.below(4) === 0) sizes.splice(random.below(sizes.length + 1), 0, random.pick(MANY))
      const batches = sizes.map((rows) => randomBatch(random, rows))
      const columns = SCHEMA.map(({ name }) => name).filter(() => random.below(4) > 0)
      if (columns.length === 0) columns.push('data')
      await connection.attach('one_by_one', SCHEMA, batches)
      await connection.attach('as_lists', SCHEMA, batches, columns)
      const select = `SELECT ${columns.join(', ')} FROM`
      await connection.run(`CREATE OR REPLACE TEMP TABLE expected AS ${select} one_by_one`)
      const copying = connection.run(`CREATE OR REPLACE TEMP TABLE found AS ${select} as_lists`)
      collectGarbage()
      await copying
      const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0)
      assert.equal(Number(await connection.value('SELECT count(*) FROM found')), rows)
      const differs = columns.map((name) => `e.${name} IS DISTINCT FROM f.${name}`).join(' OR ')
      const differing = `SELECT count(*) FROM expected AS e POSITIONAL JOIN found AS f WHERE ${differs}`
      assert.equal(Number(await connection.value(differing)), 0, `${sizes} rows of ${columns}`)
    })
  })

  test('have the columns that are asked for, and others after others are', async () => {
    const batch = recordBatch(SCHEMA.slice(2), [new Int64Column().finish(new Int64())])
    const schema = SCHEMA.slice(2)
    await connection.attach('view', SCHEMA, [], ['data', 'n'])
    assert.deepEqual(await connection.describe('FROM view'), SCHEMA.slice(1))
    await connection.attach('view', SCHEMA, [])
    assert.deepEqual(await connection.describe('FROM view'), SCHEMA)
    await connection.attach('view', schema, [batch], ['n'])
    assert.deepEqual(await connection.rows('FROM view'), [])
  })

  test('of types that are converted value by value are no lists', async () => {
    const schema = [{ name: 'pair', type: 'BIGINT[]' }]
    const { batches } = await connection.arrow('SELECT [i, NULL, -i] AS pair FROM range(3000) AS r(i)')
    await connection.attach('pairs', schema, batches, ['pair'])
    assert.equal(await connection.value('SELECT sum(pair[1] + pair[3] + len(pair)) FROM pairs'), 9000n)
  })
})
