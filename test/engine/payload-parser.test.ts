import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Connection, Database } from '../../src/duckdb.ts'
import { PayloadParser } from '../../src/engine/payload-parser.ts'
import { parsePayload } from '../../src/plan/payload.ts'
import { payloadStage } from '../../src/plan/payload-stage.ts'
import { recordsOf } from '../../src/rows.ts'
import { forSeeds } from '../support/seeds.ts'

const SOURCE = [{ name: 'data', type: 'BLOB' }]
const SCHEMA = { a: 'BIGINT', b: 'VARCHAR', l: 'BIGINT[]', corrupt: 'VARCHAR' }
const OPTIONS = new Map([['columnNameOfCorruptRecord', 'corrupt']])

/** The second is read by DuckDB alone, the third by nobody; the fourth is read, and only then found to be malformed. */
const RECORDS = [
  '{"a":1,"b":"x","l":[7]}',
  '{"a":2,"b":"\\ud83d\\ude00"}',
  '{"a":"one"}',
  '{"a":4,"l":["x"]}',
] as const
const ROWS = [
  { a: 1n, b: 'x', l: '[7]', corrupt: null },
  { a: 2n, b: '😀', l: null, corrupt: null },
  { a: null, b: null, l: null, corrupt: RECORDS[2] },
  { a: 4n, b: null, l: '[NULL]', corrupt: RECORDS[3] },
] as const

describe('the parser of a source', () => {
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

  test('gives the same rows whatever the batches before were like', async () => {
    await forSeeds(
      2,
      async (random) => {
        const stage = payloadStage(parsePayload(SCHEMA, OPTIONS, SOURCE, 'test')!, 'source')
        const parser = new PayloadParser(connection, stage)
        await parser.parse([])
        await connection.run(stage.view)
        for (let batch = 0; batch < 60; batch++) {
          // Long runs of batches that are alike, so that each way is taken, left and taken again.
          const odds = [0, 0, 0.01, 0.6][Math.floor(batch / 12 + random.below(2)) % 4]!
          const kinds = Array.from({ length: random.below(120) }, () =>
            random.next() < odds ? 1 + random.below(3) : 0,
          )
          const cut = random.below(kinds.length + 1)
          const records = [kinds.slice(0, cut), kinds.slice(cut)].map((some) =>
            recordsOf(
              SOURCE,
              some.map((kind) => ({ data: Buffer.from(RECORDS[kind]!) })),
            ),
          )
          await parser.parse(records)
          const rows = await connection.rows('SELECT a, b, l::VARCHAR AS l, corrupt FROM source')
          assert.deepEqual(
            rows,
            kinds.map((kind) => ROWS[kind]),
            `batch ${batch}`,
          )
          assert.equal(await parser.malformed(), kinds.filter((kind) => kind >= 2).length)
          await parser.letGo()
        }
      },
      500,
    )
  })

  test('has DuckDB parse all, for a while, where the reader leaves too much', async () => {
    const stage = payloadStage(parsePayload(SCHEMA, OPTIONS, SOURCE, 'test')!, 'source')
    const asked: string[] = []
    const spy = new Proxy(connection, {
      get: (target, name) => {
        if (name === 'run')
          return (sql: string) => {
            asked.push(Object.keys(WAYS).find((way) => WAYS[way]?.(stage) === sql) ?? sql)
            return target.run(sql)
          }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const parser = new PayloadParser(spy, stage)
    const of = (...kinds: readonly number[]) => [
      recordsOf(
        SOURCE,
        kinds.map((kind) => ({ data: Buffer.from(RECORDS[kind]!) })),
      ),
    ]
    const few = of(0, 0, 0, 0, 0, 0, 0, 1)
    for (const records of [of(0), few, few, of(0), of(0), of(0, 1, 1)]) await parser.parse(records)
    assert.deepEqual(asked, ['nothing', 'nothing', 'rest', 'rest', 'rest', 'nothing', 'nothing', 'rest'])
    asked.length = 0
    for (let batch = 0; batch < 18; batch++) await parser.parse(of(0))
    assert.deepEqual(asked, [...Array.from({ length: 16 }, () => 'whole'), 'rest', 'nothing'])
    asked.length = 0
    await parser.parse(of(0, 0, 0, 0, 2))
    await parser.malformed()
    await parser.parse(of(0, 0, 0, 0, 2))
    assert.deepEqual(asked, ['nothing', 'rest', 'carefully'])
  })
})

type Stage = ReturnType<typeof payloadStage>

const WAYS: Readonly<Record<string, (stage: Stage) => string | undefined>> = {
  nothing: ({ rest }) => rest?.nothing,
  rest: ({ rest }) => rest?.trusting,
  carefully: ({ rest }) => rest?.careful,
  whole: ({ whole }) => whole.trusting,
}
