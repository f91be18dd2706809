import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { checkAgainstBatch } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { k: 'INTEGER', n: 'INTEGER', m: 'INTEGER', x: 'DOUBLE', y: 'DOUBLE', s: 'VARCHAR' }

/** Calls whose partial results are kept, one row a group. */
const MERGED: Readonly<Record<string, string>> = {
  any_value: 'any_value(n)',
  approx_count_distinct: 'approx_count_distinct(s)',
  arbitrary: 'arbitrary(n)',
  arg_max: 'arg_max(n, m)',
  arg_max_null: 'arg_max_null(n, s)',
  arg_min: 'arg_min(s, x)',
  arg_min_null: 'arg_min_null(n, m)',
  argmax: 'argmax(s, m) FILTER (WHERE n > 3)',
  argmin: 'argmin(x, s)',
  avg: 'avg(n)',
  bit_and: 'bit_and(n + 64)',
  bit_or: 'bit_or(n)',
  bit_xor: 'bit_xor(n)',
  bitstring_agg: 'bitstring_agg(n, 0, 20)',
  bool_and: 'bool_and(n > 1)',
  bool_or: 'bool_or(n > 18)',
  corr: 'corr(x, y)',
  count: 'count(n)',
  count_if: 'count_if(n > 5)',
  count_star: 'count(*)',
  countif: 'countif(n > 5)',
  covar_pop: 'covar_pop(x, y)',
  covar_samp: 'covar_samp(x, y)',
  favg: 'favg(x)',
  first: 'first(n)',
  fsum: 'fsum(x)',
  kahan_sum: 'kahan_sum(x)',
  kurtosis: 'kurtosis(x)',
  kurtosis_pop: 'kurtosis_pop(x)',
  last: 'last(n)',
  max: 'max(s)',
  max_by: 'max_by(n, m)',
  mean: 'mean(n::DECIMAL(9,3))',
  min: 'min(s)',
  min_by: 'min_by(n, m)',
  product: 'product(x / 64)',
  regr_avgx: 'regr_avgx(x, y)',
  regr_avgy: 'regr_avgy(x, y)',
  regr_count: 'regr_count(x, y)',
  regr_intercept: 'regr_intercept(x, y)',
  regr_r2: 'regr_r2(x, y)',
  regr_slope: 'regr_slope(x, y)',
  regr_sxx: 'regr_sxx(x, y)',
  regr_sxy: 'regr_sxy(x, y)',
  regr_syy: 'regr_syy(x, y)',
  sem: 'sem(x)',
  skewness: 'skewness(x)',
  stddev: 'stddev(n)',
  stddev_pop: 'stddev_pop(x)',
  stddev_samp: 'stddev_samp(x)',
  sum: 'sum(n)',
  sumkahan: 'sumkahan(x)',
  var_pop: 'var_pop(x)',
  var_samp: 'var_samp(x) FILTER (WHERE n > 3)',
  variance: 'variance(x)',
}

/** The same functions in forms of their own. */
const MERGED_FORMS = [
  ...['HUGEINT', 'BIGNUM', 'DECIMAL(9,3)', 'UTINYINT', 'FLOAT'].map((type) => `sum(n::${type})`),
  'sum(n > 3)',
  "avg(TIMESTAMP '2026-01-01' + to_seconds(n))",
  'first({a: n, b: s})',
  'min([n, m])',
  "max(TIMESTAMP '2026-01-01' + to_seconds(n))",
]

/** Calls whose arguments are kept, one row an input row. */
const RETAINED: Readonly<Record<string, string>> = {
  approx_quantile: 'approx_quantile(n, 0.5)',
  approx_top_k: 'approx_top_k(s, 2)',
  arg_max_nulls_last: 'arg_max_nulls_last(n, m, 2)',
  arg_min_nulls_last: 'arg_min_nulls_last(n, m, 2)',
  array_agg: 'array_agg(n)',
  entropy: 'entropy(s)',
  group_concat: "group_concat(s, '|')",
  histogram: 'histogram(n)',
  histogram_exact: 'histogram_exact(n, [1, 2, 3])',
  list: 'list(s)',
  listagg: "listagg(s, '|')",
  mad: 'mad(x)',
  median: 'median(x)',
  mode: 'mode(n % 3)',
  quantile: 'quantile(n, 0.25)',
  quantile_cont: 'quantile_cont(x, [0.25, 0.75])',
  quantile_disc: 'quantile_disc(x, 0.9)',
  string_agg: "string_agg(s, ',' ORDER BY n, m, s)",
}

const RETAINED_FORMS = [
  'count(DISTINCT s)',
  'sum(DISTINCT n) FILTER (WHERE n > 3)',
  'first(n ORDER BY m, n, s)',
  'list(DISTINCT n ORDER BY n DESC)',
  'min(n, 2)',
  'arg_max(s, n, 2)',
]

/** Refused with a reason of ours, by its key. */
const REFUSED: Readonly<Record<string, readonly [call: string, reason: string]>> = {
  bitstring_agg: ['bitstring_agg(n)', 'bitstring-without-bounds'],
  reservoir_quantile: ['reservoir_quantile(n, 0.5)', 'sampling-aggregate'],
}

/** Listed among the aggregates, but DuckDB takes them with OVER only, or from itself only. */
const NOT_CALLABLE =
  'sum_no_overflow cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number'.split(
    ' ',
  )

function randomRows(random: SeededRandom): Row[] {
  const maybe = <T>(value: T): T | null => (random.next() < 0.1 ? null : value)
  const n = 40 + random.below(100)
  // Every m is another one, so that no arg_min has to choose between equals.
  return Array.from({ length: n }, (_, i) => ({
    k: maybe(random.below(3)),
    n: maybe(random.below(20)),
    m: maybe((i * 7919) % 1009),
    x: maybe(1 + random.next() * 50),
    y: maybe(random.next() * 50),
    s: `s${random.below(12)}`,
  }))
}

async function check(random: SeededRandom, calls: readonly string[], mode: OutputMode): Promise<void> {
  const items = calls.map((call, i) => `${call} AS c${i}`)
  const sql = `SELECT k, ${items.join(', ')} FROM events GROUP BY k`
  // arg_min by a text chooses between equals: the first of them, as plain DuckDB does on one thread.
  await checkAgainstBatch(
    { columns: COLUMNS, rows: randomRows(random), sql, mode, key: ['k'], digits: 9 },
    random,
  )
}

async function withEvents<T>(use: (session: Session) => Promise<T>): Promise<T> {
  const session = await Session.create({ log: silentLogger })
  try {
    session.readStream.format(new MemoryStream(COLUMNS)).load().createOrReplaceTempView('events')
    return await use(session)
  } finally {
    await session.close()
  }
}

describe('every aggregate of DuckDB', () => {
  test('is merged, or kept as values, or refused', () =>
    withEvents(async (session) => {
      const rows = await session
        .sql(
          "SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE function_type = 'aggregate'",
        )
        .collect()
      const known = [MERGED, RETAINED, REFUSED].flatMap(Object.keys)
      assert.deepEqual(rows.map(({ name }) => name).sort(), [...new Set([...known, ...NOT_CALLABLE])].sort())
    }))

  test('that is merged gives the batch answer', () =>
    forSeeds(1, async (random) => {
      await check(random, [...Object.values(MERGED), ...MERGED_FORMS], random.pick(['update', 'complete']))
    }))

  test('that is kept as values gives the batch answer', () =>
    forSeeds(1, async (random) => {
      await check(
        random,
        [...Object.values(RETAINED), ...RETAINED_FORMS],
        random.pick(['update', 'complete']),
      )
    }))

  test('is in explain as it is kept', () =>
    withEvents(async (session) => {
      const states = async (calls: readonly string[]) => {
        const query = session.sql(`SELECT ${calls.join(', ')} FROM events`).writeStream.outputMode('update')
        const text = await query.format('noop').explain()
        return [...text.matchAll(/^state {3}(.*)$/gm)].map((match) => match[1] as string)
      }
      const merged = await states([...Object.values(MERGED), ...MERGED_FORMS])
      assert.equal(merged.length, 1)
      assert.match(merged[0] ?? '', /one row a group/)
      const values = await states([...Object.values(RETAINED), ...RETAINED_FORMS])
      assert.equal(values.length, 1)
      assert.match(values[0] ?? '', /one row an input row/)
      const [counts, distinct] = await states(['count(*)', 'count(DISTINCT s)', 'sum(DISTINCT n)'])
      assert.match(counts ?? '', /one row a group/)
      assert.match(distinct ?? '', /one row a combination/)
    }))

  test('that depends on more than its rows is refused', () =>
    withEvents(async (session) => {
      for (const [call, reason] of Object.values(REFUSED)) {
        await assert.rejects(session.sql(`SELECT ${call} FROM events`).explain(), (error) => {
          assert.ok(hasCode(error, 'STREAMING_UNSUPPORTED'), String(error))
          assert.equal(error.params.key, reason)
          return true
        })
      }
      for (const name of NOT_CALLABLE) {
        await assert.rejects(session.sql(`SELECT ${name}(n) FROM events`).explain(), { code: 'SQL_INVALID' })
      }
    }))
})
