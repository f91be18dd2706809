import type { OutputMode } from '../../src/output-mode.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'

/** A query over the stream `events`, and the same question to plain DuckDB. */
export interface RandomQuery {
  readonly sql: string
  readonly mode: OutputMode
  /** In update mode: the columns that say which row replaces which. */
  readonly key: readonly string[]
  /** Over the table `events`, whose column `late_before` is the watermark that a row came behind. */
  readonly batchSql: string
  /** How many rows the stream counts as late, for plain DuckDB; absent where the query does not say. */
  readonly droppedSql?: string
  /** Whether rows may come behind the watermark: what a session is then depends on when it was finished. */
  readonly mayBeLate: boolean
}

export const DELAY = '10 seconds'

/** The windows of a moment, put together without the engine's own macros. */
export const ORACLE_MACROS = [
  `CREATE MACRO windows_of(ts, slide, size) AS list_filter(
     list_transform(range((epoch_us(ts) // slide - 70) * slide, epoch_us(ts) + 1, slide),
       s -> {'start': make_timestamp(s), 'end': make_timestamp(s + size)}), w -> w."end" > ts)`,
]

/** What the stream has finished when its last row has come: all before its last watermark. */
const FINISHED = `(SELECT max(ts) - INTERVAL '${DELAY}' FROM events)`

const CALLS = [
  'count(*)',
  'count(n)',
  'sum(n)',
  'sum(price)',
  'avg(n)',
  'min(page)',
  'max(price)',
  'max(ts)',
  'stddev(price)',
  'corr(n, price)',
  'bool_or(n > 90)',
  'bit_xor(n)',
  'arg_max(n, id)',
  'count(*) FILTER (WHERE n > 50)',
  'avg(price) FILTER (WHERE userId <> 2)',
  'sum(n) + count(*)',
  'max(n) - min(n)',
  'approx_count_distinct(userId)',
] as const

/** Such as can only be answered from the values themselves, or from the order of rows. */
const RETAINED = [
  'count(DISTINCT userId)',
  'median(price)',
  'list(n ORDER BY n, id)',
  "string_agg(page, '+' ORDER BY id)",
  'sum(DISTINCT n)',
  'first(id)',
  'last(n)',
] as const

const KEYS = ['page', 'userId', 'n % 3', "coalesce(page, '?') || userId"] as const
const FILTERS = ['', '', ' WHERE n > 20', " WHERE page <> 'a' OR userId = 1"] as const

export function randomQuery(random: SeededRandom): RandomQuery {
  const kinds = [
    windowed,
    windowed,
    windowed,
    windowed,
    unbounded,
    unbounded,
    nested,
    nested,
    windowsOfWindows,
  ]
  const others = [distinct, distinctOn, topN, sessions, overWindows, severalWindows, ranked]
  return random.pick([...kinds, ...others])(random)
}

function some<T>(random: SeededRandom, items: readonly T[], most: number, least = 1): T[] {
  const found = items.filter(() => random.next() < most / items.length)
  return found.length >= least ? found : [random.pick(items)]
}

function someCalls(random: SeededRandom): string[] {
  const calls =
    random.next() < 0.3 ? some<string>(random, [...CALLS, ...RETAINED], 4) : some<string>(random, CALLS, 3)
  return calls.map((call, i) => `${call} AS c${i}`)
}

interface Grouping {
  readonly items: readonly string[]
  readonly names: readonly string[]
  readonly groups: readonly string[]
}

/** Keys beside a window, sometimes in several sets. */
function someKeys(random: SeededRandom, least: number): Grouping {
  const keys = random.next() < 0.3 && least === 0 ? [] : some<string>(random, KEYS, 1.5)
  const names = keys.map((_, i) => `k${i}`)
  const items = keys.map((key, i) => `${key} AS k${i}`)
  if (keys.length === 0 || random.next() < 0.7) return { items, names, groups: keys }
  const all = keys.join(', ')
  const sets = random.pick([`ROLLUP (${all})`, `CUBE (${all})`, `GROUPING SETS ((${all}), ())`])
  return { items: [...items, `grouping(${all}) AS g`], names: [...names, 'g'], groups: [sets] }
}

function someHaving(random: SeededRandom, mode: OutputMode): string {
  return mode !== 'update' && random.next() < 0.3 ? ' HAVING count(*) > 1' : ''
}

/** A window function, and the lengths of its windows in microseconds. */
function someWindow(random: SeededRandom): { sql: string; slide: number; size: number } {
  const second = 1_000_000
  if (random.next() < 0.3) {
    const size = random.pick([3, 5, 20])
    const sql = random.pick([`tumble(ts, '${size} seconds')`, `window(ts, '${size} seconds')`])
    return { sql, slide: size * second, size: size * second }
  }
  const [slide, size] = random.pick([
    [5, 15],
    [2, 10],
    [5, 12],
    [4, 6],
    [1, 60],
    [7, 3],
    [1, 1.5],
  ] as const)
  const lengths = [`${slide} seconds`, `${size * 1000} milliseconds`]
  const sql = random.pick([
    `hop(ts, '${lengths[0]}', '${lengths[1]}')`,
    `window(ts, '${lengths[1]}', '${lengths[0]}')`,
  ])
  return { sql, slide: slide * second, size: size * second }
}

function windowed(random: SeededRandom): RandomQuery {
  const mode = random.pick(['append', 'update', 'complete'] as const)
  const { sql, slide, size } = someWindow(random)
  const { items, names, groups } = someKeys(random, 0)
  const [calls, where, having] = [someCalls(random), random.pick(FILTERS), someHaving(random, mode)]
  const select = `SELECT ${['w', ...items, ...calls].join(', ')}`
  const by = `GROUP BY ${['w', ...groups].join(', ')}${having}`
  const copies = `(SELECT *, unnest(windows_of(ts, ${slide}, ${size})) AS w FROM events${where})`
  const lateWindows = 'w."end" <= late_before'
  const kept = mode === 'complete' ? '' : ` WHERE coalesce(NOT ${lateWindows}, true)`
  const finished = mode === 'append' ? ` AND w."end" <= ${FINISHED}` : ''
  return {
    sql: `${select.replace('SELECT w', `SELECT ${sql} AS w`)} FROM events${where} ${by}`,
    mode,
    key: ['w', ...names],
    batchSql: `${select} FROM (FROM ${copies}${kept}${finished}) ${by}`,
    mayBeLate: true,
    ...(mode === 'complete'
      ? {}
      : {
          droppedSql: `SELECT count(*) FILTER (WHERE ${lateWindows}) + ${slide === size ? `(SELECT count(*) FROM (FROM events${where}) WHERE ts IS NULL)` : '0'} FROM ${copies}`,
        }),
  }
}

function unbounded(random: SeededRandom): RandomQuery {
  const mode = random.pick(['update', 'complete'] as const)
  const { items, names, groups } = someKeys(random, 0)
  const by = groups.length > 0 ? ` GROUP BY ${groups.join(', ')}` : ''
  const sql =
    `SELECT ${[...items, ...someCalls(random)].join(', ')} FROM events${random.pick(FILTERS)}` +
    `${by}${someHaving(random, mode)}`
  return { sql, mode, key: names, batchSql: sql, mayBeLate: true }
}

/** Aggregates and top rows over the results of an aggregation. */
function nested(random: SeededRandom): RandomQuery {
  const mode = random.pick(['update', 'complete'] as const)
  const maxima = `(SELECT page, userId, max(n) AS m, ${random.pick(['count(*)', 'count(DISTINCT id)', 'sum(n)'])} AS c FROM events GROUP BY page, userId)`
  // A maximum only grows, so a group that has come in never leaves again.
  const where = random.pick(['', ' WHERE m > 40'])
  const [sql, key] = random.pick([
    [`SELECT page, avg(m) AS a, count(*) AS c, max(c) AS d FROM ${maxima}${where} GROUP BY page`, ['page']],
    [`SELECT avg(m) AS a, list(c ORDER BY c, m) AS c FROM ${maxima}`, []],
    [
      `SELECT page, userId, m, row_number() OVER (PARTITION BY page ORDER BY m DESC, userId) AS rn FROM ${maxima}${where} QUALIFY rn <= 2`,
      ['page', 'rn'],
    ],
    [
      `SELECT lower(page) AS p, max(a) AS a FROM (SELECT page, userId % 2 AS odd, avg(m) AS a FROM ${maxima} GROUP BY ALL) GROUP BY lower(page)`,
      ['p'],
    ],
    ...(mode === 'complete'
      ? ([
          [`SELECT c, count(*) AS groups FROM ${maxima} GROUP BY c HAVING count(*) > 1`, []],
          [`SELECT DISTINCT m FROM ${maxima}`, []],
        ] as const)
      : []),
  ] as const)
  return { sql, mode, key, batchSql: sql, mayBeLate: true }
}

/** The same over windows, none of which is ever finished while results over them are asked for. */
function overWindows(random: SeededRandom): RandomQuery {
  const mode = random.pick(['update', 'complete'] as const)
  const { sql, slide, size } = someWindow(random)
  const inner = (window: string, from: string) =>
    `(SELECT ${window}, page, max(n) AS m, count(*) AS c FROM ${from} GROUP BY w, page)`
  const copies = `(SELECT *, unnest(windows_of(ts, ${slide}, ${size})) AS w FROM events)`
  const outer = (from: string) =>
    `SELECT page, count(*) AS windows, sum(c) AS c, avg(m) AS m, max(w."end") AS last FROM ${from} GROUP BY page`
  return {
    sql: outer(inner(`${sql} AS w`, 'events')),
    mode,
    key: ['page'],
    batchSql: outer(inner('w', copies)),
    mayBeLate: true,
  }
}

/** Two windows beside each other, of which the first decides when a group is final and which rows are late. */
function severalWindows(random: SeededRandom): RandomQuery {
  const mode = random.pick(['append', 'update', 'complete'] as const)
  const first = someWindow(random)
  const size = random.pick([4, 10])
  const second = { sql: `tumble(ts, '${size} seconds')`, slide: size * 1_000_000, size: size * 1_000_000 }
  const [w, v] = random.next() < 0.5 ? [first, second] : [second, first]
  const [calls, where] = [someCalls(random).join(', '), random.pick(FILTERS)]
  const copiesOf = (from: string, name: string, { slide, size: length }: typeof w) =>
    `(SELECT *, unnest(windows_of(ts, ${slide}, ${length})) AS ${name} FROM ${from})`
  const copies = copiesOf(copiesOf(`(FROM events${where})`, 'w', w), 'v', v)
  const kept = mode === 'complete' ? '' : ' WHERE coalesce(NOT w."end" <= late_before, true)'
  const finished = mode === 'append' ? ` AND w."end" <= ${FINISHED}` : ''
  const keys = random.next() < 0.5 ? ['w', 'v'] : ['w', 'v', 'page']
  const others = keys.slice(2).map((key) => `, ${key}`)
  return {
    sql: `SELECT ${w.sql} AS w, ${v.sql} AS v${others}, ${calls} FROM events${where} GROUP BY ${keys.join(', ')}`,
    mode,
    key: keys,
    batchSql: `SELECT ${keys.join(', ')}, ${calls} FROM (FROM ${copies}${kept}${finished}) GROUP BY ${keys.join(', ')}`,
    mayBeLate: true,
  }
}

/** Window functions over the groups of a window, which are handed on together. */
function ranked(random: SeededRandom): RandomQuery {
  const { sql, slide, size } = someWindow(random)
  const call = random.pick(['count(*)', 'sum(n)', 'count(DISTINCT userId)'])
  const groups = (window: string, from: string) =>
    `SELECT ${window}, page, ${call} AS c FROM ${from} GROUP BY w, page`
  const copies = `(SELECT *, unnest(windows_of(ts, ${slide}, ${size})) AS w FROM events)`
  const kept = `(FROM ${copies} WHERE coalesce(NOT w."end" <= late_before, true) AND w."end" <= ${FINISHED})`
  const over = random.pick([
    (from: string) =>
      `SELECT * FROM (${from}) QUALIFY row_number() OVER (PARTITION BY w ORDER BY c DESC, page) <= 2`,
    (from: string) =>
      `SELECT *, rank() OVER (PARTITION BY w.start ORDER BY c) AS r FROM (${from}) QUALIFY r < 3`,
    (from: string) => `SELECT w, c, sum(c) OVER (PARTITION BY w) AS s FROM (${from})`,
    (from: string) => `${from} QUALIFY max(${call}) OVER (PARTITION BY w) = ${call}`,
    (from: string) =>
      `SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY page) AS r FROM (${from})) WHERE r = 1`,
  ])
  return {
    sql: over(groups(`${sql} AS w`, 'events')),
    mode: 'append',
    key: [],
    batchSql: over(groups('w', kept)),
    mayBeLate: true,
  }
}

function windowsOfWindows(random: SeededRandom): RandomQuery {
  const [slide, size] = random.pick([
    [5, 5],
    [5, 10],
  ] as const)
  const inner = slide === size ? `tumble(ts, '5 seconds')` : `hop(ts, '5 seconds', '10 seconds')`
  const copies = `(SELECT *, unnest(windows_of(ts, ${slide}000000, ${size}000000)) AS w FROM events)`
  const kept = `coalesce(NOT w."end" <= late_before, true) AND w."end" <= ${FINISHED}`
  const results = 'page, count(*) AS n, sum(price) AS p'
  const [outerSlide, outerSize] = random.pick([
    [20, 20],
    [10, 30],
  ] as const)
  const outer =
    outerSlide === outerSize
      ? "tumble(window_time(w), '20 seconds')"
      : "hop(window_time(w), '10 seconds', '30 seconds')"
  return {
    sql: `SELECT ${outer} AS o, count(*) AS c, sum(n) AS n, max(p) AS p FROM (SELECT ${inner} AS w, ${results} FROM events GROUP BY w, page) GROUP BY o`,
    mode: 'append',
    key: [],
    batchSql:
      `SELECT o, count(*) AS c, sum(n) AS n, max(p) AS p FROM (SELECT *, unnest(windows_of(w."end" - INTERVAL 1 MICROSECOND, ${outerSlide}000000, ${outerSize}000000)) AS o ` +
      `FROM (SELECT w, ${results} FROM ${copies} WHERE ${kept} GROUP BY w, page)) WHERE o."end" <= ${FINISHED} GROUP BY o`,
    mayBeLate: true,
  }
}

function distinct(random: SeededRandom): RandomQuery {
  const columns = random.pick(['page, userId', 'ts, page', 'n % 7 AS r'])
  // Only a query that keeps the event time knows which rows are late.
  const kept = columns.startsWith('ts') ? ' WHERE coalesce(NOT ts <= late_before, true)' : ''
  return {
    sql: `SELECT DISTINCT ${columns} FROM events`,
    mode: 'append',
    key: [],
    batchSql: `SELECT DISTINCT ${columns} FROM events${kept}`,
    mayBeLate: true,
  }
}

function topN(random: SeededRandom): RandomQuery {
  const order = random.pick(['n DESC, id', 'price, id DESC', 'ts DESC NULLS LAST, id'])
  const partition = random.pick(['page', 'userId % 2, page'])
  const most = 1 + random.below(3)
  const sql = `SELECT page, userId % 2 AS odd, id, n, row_number() OVER (PARTITION BY ${partition} ORDER BY ${order}) AS rn FROM events QUALIFY rn <= ${most}`
  const key = partition === 'page' ? ['page', 'rn'] : ['page', 'odd', 'rn']
  return { sql, mode: 'update', key, batchSql: sql, mayBeLate: true }
}

function distinctOn(random: SeededRandom): RandomQuery {
  const key = random.pick(['page', 'userId'])
  const order = random.pick(['n DESC, id', 'price, id DESC', 'ts DESC NULLS LAST, id'])
  const sql = `SELECT DISTINCT ON (${key}) ${key}, id, n FROM events${random.pick(FILTERS)} ORDER BY ${key}, ${order}`
  return { sql, mode: 'update', key: [key], batchSql: sql, mayBeLate: true }
}

function sessions(random: SeededRandom): RandomQuery {
  const mode = random.pick(['append', 'complete'] as const)
  const calls = someCalls(random).join(', ')
  const numbered =
    `(SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY page ORDER BY ts) AS number FROM ` +
    `(SELECT *, coalesce(ts > lag(ts) OVER (PARTITION BY page ORDER BY ts) + INTERVAL 2 SECOND, true) AS is_first FROM events WHERE ts IS NOT NULL))`
  const finished = mode === 'append' ? ` HAVING max(ts) + INTERVAL 2 SECOND <= ${FINISHED}` : ''
  return {
    sql: `SELECT page, session_window(ts, '2 seconds') AS w, ${calls} FROM events GROUP BY page, w`,
    mode,
    key: [],
    batchSql: `SELECT page, {'start': min(ts), 'end': max(ts) + INTERVAL 2 SECOND} AS w, ${calls} FROM ${numbered} GROUP BY page, number${finished}`,
    mayBeLate: false,
  }
}
