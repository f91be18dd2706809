import { test } from 'node:test'
import type { Row } from '../../src/duckdb.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Case, checkAgainstBatch } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = {
  page: 'VARCHAR',
  userId: 'INTEGER',
  amount: 'DECIMAL(10,2)',
  score: 'DOUBLE',
  big: 'BIGINT',
  at: 'TIMESTAMP',
  tags: 'VARCHAR[]',
}

const PAGES = ['home', 'Home', '', 'ключ', 'a"b', null]

function randomRows(random: SeededRandom): Row[] {
  const maybe = <T>(value: T): T | null => (random.next() < 0.1 ? null : value)
  return Array.from({ length: random.below(400) }, () => ({
    page: random.pick(PAGES),
    userId: maybe(random.below(20) - 5),
    amount: maybe(random.below(100_000) / 100),
    // Eighths add up without rounding, so any order of additions gives the same sum.
    score: maybe(random.below(1000) / 8),
    big: maybe(BigInt(random.below(1000)) * 4_000_000_000_000_000n),
    at: maybe(new Date(1_700_000_000_000 + random.below(1_000_000))),
    tags: maybe(Array.from({ length: random.below(4) }, () => random.pick(['x', 'y', null]))),
  }))
}

const KEYS = ['page', 'userId', 'lower(page)', 'userId % 3', 'tags', "date_trunc('minute', at)", 'amount']
const CALLS = [
  'count(*)',
  'count(page)',
  'sum(userId)',
  'sum(amount)',
  'sum(score)',
  'sum(big)',
  'avg(userId)',
  'avg(score)',
  'avg(big)',
  'min(page)',
  'max(page)',
  'min(at)',
  'max(amount)',
  'min(score)',
  'max(big)',
  'sum(userId) FILTER (WHERE score > 50)',
  'avg(userId) FILTER (WHERE page IS NOT NULL)',
  'count(*) FILTER (WHERE amount > 500)',
  'sum(userId) + count(*)',
  'max(userId) - min(userId)',
]
const FILTERS = ['', ' WHERE userId > 0', " WHERE page <> 'home' OR score < 20", ' WHERE false']

function some<T>(random: SeededRandom, items: readonly T[], most: number): T[] {
  const picked = items.filter(() => random.next() < most / items.length)
  return picked.length > 0 ? picked : [random.pick(items)]
}

function randomAggregation(random: SeededRandom): Case {
  const keys = some(random, KEYS, 1.5)
  const calls = some(random, CALLS, 3)
  const mode: OutputMode = random.pick(['update', 'complete'])
  const items = [...keys.map((key, i) => `${key} AS k${i}`), ...calls.map((call, i) => `${call} AS c${i}`)]
  // In update mode a group that no longer passes HAVING keeps its last row downstream, as in Spark.
  const having = mode === 'complete' && random.next() < 0.3 ? ' HAVING count(*) > 3' : ''
  const order = mode === 'complete' && random.next() < 0.3 ? ' ORDER BY ALL' : ''
  const groups = random.pick(['ALL', keys.join(', ')])
  return {
    columns: COLUMNS,
    rows: randomRows(random),
    sql: `SELECT ${items.join(', ')} FROM events${random.pick(FILTERS)} GROUP BY ${groups}${having}${order}`,
    mode,
    key: keys.map((_, i) => `k${i}`),
  }
}

function randomGroupingSets(random: SeededRandom): Case {
  const keys = some(random, KEYS, 2)
  const all = keys.join(', ')
  const sets = random.pick([
    `ROLLUP (${all})`,
    `CUBE (${all})`,
    `GROUPING SETS ((${all}), ())`,
    keys.length > 1 ? `${keys[0]}, ROLLUP (${keys.slice(1).join(', ')})` : all,
  ])
  const names = keys.map((_, i) => `k${i}`)
  const calls = some(random, [...CALLS, 'count(DISTINCT userId)'], 3)
  const items = [...keys.map((key, i) => `${key} AS k${i}`), ...calls.map((call, i) => `${call} AS c${i}`)]
  const mode: OutputMode = random.pick(['update', 'complete'])
  const having = mode === 'complete' && random.next() < 0.5 ? ` HAVING grouping(${keys[0]}) = 0` : ''
  return {
    columns: COLUMNS,
    // Over no row at all, plain DuckDB still gives the row of the empty set.
    rows: [{ page: 'one', userId: 1 }, ...randomRows(random)],
    sql: `SELECT grouping(${all}) AS g, ${items.join(', ')} FROM events GROUP BY ${sets}${having}`,
    mode,
    key: ['g', ...names],
  }
}

const NAMES = ["CREATE TABLE names AS SELECT i AS id, 'user ' || i AS label FROM range(0, 20, 2) r(i)"]

const STATELESS = [
  'SELECT * FROM events',
  'SELECT page, userId * 2 AS twice FROM events WHERE score > 30',
  'SELECT page, unnest(tags) AS tag FROM events',
  'SELECT e.page, t.tag FROM events e, unnest(e.tags) t(tag) WHERE t.tag IS NOT NULL',
  "SELECT CASE WHEN userId > 3 THEN 'many' ELSE 'few' END AS c, list_transform(tags, x -> upper(x)) AS l FROM events",
  'SELECT e.page, n.label FROM events e JOIN names n ON e.userId = n.id',
  'SELECT e.page, n.label FROM events e LEFT JOIN names n ON e.userId = n.id WHERE e.userId > 2',
  'SELECT page FROM events WHERE userId IN (SELECT id FROM names)',
  'WITH few AS (SELECT id FROM names WHERE id < 9) SELECT page FROM events e JOIN names n ON e.userId = n.id AND n.id IN (SELECT id FROM few)',
  'SELECT e.page, e.userId, n.label FROM events e ASOF LEFT JOIN names n ON e.userId >= n.id',
  'WITH good AS (SELECT * FROM events WHERE userId > 0), two(p, u) AS (SELECT page, userId FROM good) SELECT p, u + 1 AS v FROM two',
  'SELECT page AS x FROM events WHERE userId > 5 UNION ALL SELECT lower(page) FROM events',
]

/** Names in a subquery are first of all those of its own tables; those of the groups around it say whose they are. */
const CORRELATED = [
  'SELECT userId, count(*) AS n, (SELECT max(label) FROM names WHERE names.id = events.userId) AS label FROM events GROUP BY userId',
  'SELECT userId AS id, count(*) AS n FROM events e GROUP BY userId HAVING EXISTS (SELECT 1 FROM names WHERE names.id = e.userId)',
  'SELECT userId % 2 AS id, (SELECT max(id % 2) FROM names) AS m, (SELECT max(userId % 2) FROM (SELECT id + 1 AS userId FROM names)) AS o, count(*) AS n FROM events GROUP BY userId % 2',
  'SELECT e.userId, e.page, (SELECT max(label) FROM names WHERE id = e.userId) AS label, sum(e.userId) AS s FROM events e JOIN names m ON m.id = e.userId GROUP BY ALL',
]

test('groups with subqueries that look at them give the batch answer', async () => {
  await forSeeds(
    1,
    async (random, seed) => {
      const sql = CORRELATED[Number(seed) % CORRELATED.length] as string
      const each: Case = { columns: COLUMNS, rows: randomRows(random), sql, mode: 'complete', key: [] }
      await checkAgainstBatch({ ...each, tables: NAMES }, random)
    },
    CORRELATED.length,
  )
})

test('aggregations in random cuts, with crashes, give the batch answer', async () => {
  await forSeeds(5, async (random) => {
    await checkAgainstBatch(randomAggregation(random), random)
  })
})

test('grouping sets in random cuts, with crashes, give the batch answer', async () => {
  await forSeeds(2, async (random) => {
    await checkAgainstBatch(randomGroupingSets(random), random)
  })
})

test('an aggregation without groups gives the batch answer', async () => {
  await forSeeds(3, async (random) => {
    const rows = [{ page: 'one', userId: 1 }, ...randomRows(random)]
    const mode: OutputMode = random.pick(['update', 'complete'])
    const sql = `SELECT ${some(random, CALLS, 4)
      .map((call, i) => `${call} AS c${i}`)
      .join(', ')} FROM events`
    await checkAgainstBatch({ columns: COLUMNS, rows, sql, mode, key: [] }, random)
  })
})

test('stateless queries in random cuts, with crashes, give the batch answer', async () => {
  await forSeeds(
    Math.ceil(STATELESS.length / 4),
    async (random, seed) => {
      const sql = STATELESS[Number(seed) % STATELESS.length] as string
      const each: Case = { columns: COLUMNS, rows: randomRows(random), sql, mode: 'append', key: [] }
      await checkAgainstBatch({ ...each, tables: NAMES }, random)
    },
    STATELESS.length,
  )
})
