import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Connection, Database } from '../../src/duckdb.ts'
import { call } from '../../src/plan/ast.ts'
import { mergeable } from '../../src/plan/mergeable.ts'
import { mergeIntoState } from '../../src/plan/operators/merge-into-state.ts'

const COUNT = mergeable('n', call('count_star', []), undefined)!
const TABLES = { state: 'the state', delta: 'the delta', touched: 'touched' }

async function withConnection(use: (connection: Connection) => Promise<void>): Promise<void> {
  const database = await Database.open()
  try {
    await use(await database.connect())
  } finally {
    database.close()
  }
}

/** A state of the keys that `old` gives, and a batch of those that `fresh` gives. */
async function fill(connection: Connection, old: string, fresh: string): Promise<void> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE "the state" AS SELECT k, 5::BIGINT AS n FROM (${old})`)
  await connection.run(`CREATE OR REPLACE TEMP TABLE "the delta" AS SELECT k, 2::BIGINT AS n FROM (${fresh})`)
  await connection.run('CREATE OR REPLACE TEMP TABLE touched AS FROM "the state" LIMIT 0')
}

for (const type of ['BIGINT', 'VARCHAR', 'DECIMAL(18,3)', 'TIMESTAMP', 'UUID']) {
  const cast = {
    TIMESTAMP: 'make_timestamp(i)',
    UUID: "('00000000-0000-0000-0000-' || lpad(i::VARCHAR, 12, '0'))::UUID",
  }[type]
  const keys = (rows: string, withNull: boolean) =>
    `SELECT ${cast ?? `i::${type}`} AS k FROM ${rows} AS r(i)${withNull ? ' UNION ALL SELECT NULL' : ''}`
  test(`the statements for a large state do what the one for any does, with ${type} keys`, () =>
    withConnection(async (connection) => {
      const { returning, overLarge = [] } = mergeIntoState(TABLES, [{ name: 'k', type }], [COUNT])
      assert.equal(overLarge.length, 2)
      for (const [nullBefore, nullNow] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ] as const) {
        const after: unknown[] = []
        for (const statements of [[returning], overLarge]) {
          await fill(connection, keys('range(0, 5000)', nullBefore), keys('range(4000, 6000, 3)', nullNow))
          for (const each of statements) await connection.collect(each, 'touched')
          after.push([
            await connection.rows('FROM "the state" ORDER BY ALL'),
            await connection.rows('FROM touched ORDER BY ALL'),
          ])
        }
        assert.deepEqual(after[1], after[0])
      }
    }))
}

test('several keys, none, and keys with parts are merged by the one statement', () => {
  for (const types of [[], ['BIGINT', 'BIGINT'], ['STRUCT(a BIGINT)'], ['BIGINT[]'], ['DOUBLE']]) {
    const keys = types.map((type, i) => ({ name: `k${i}`, type }))
    assert.equal(mergeIntoState(TABLES, keys, [COUNT]).overLarge, undefined)
  }
})

test('DuckDB thins out the scan of a large state by the keys of the batch', () =>
  withConnection(async (connection) => {
    const { returning, overLarge = [] } = mergeIntoState(TABLES, [{ name: 'k', type: 'BIGINT' }], [COUNT])
    const plans: string[] = []
    for (const statement of [returning, overLarge[0]!]) {
      await fill(
        connection,
        'SELECT i AS k FROM range(1_000_000) AS r(i)',
        'SELECT i AS k FROM range(0, 1_000_000, 10) AS r(i)',
      )
      plans.push(JSON.stringify(await connection.rows(`EXPLAIN ANALYZE ${statement}`)))
    }
    assert.doesNotMatch(plans[0]!, /BF/)
    assert.match(plans[1]!, /BF/)
  }))
