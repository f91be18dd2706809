import type { SeededRandom } from '../../src/testing/seeded-random.ts'

const KINDS = [
  'JOIN',
  'LEFT JOIN',
  'RIGHT JOIN',
  'FULL JOIN',
  'SEMI JOIN',
  'ANTI JOIN',
  'ASOF JOIN',
  'ASOF LEFT JOIN',
] as const

/** The latest `b` before `a`, said in one of the ways in which people say it. */
function before(random: SeededRandom, a: string, b: string): string {
  const shift = `INTERVAL ${random.below(8) * 500} MILLISECOND`
  return random.pick([
    `${a}.at >= ${b}.at`,
    `${a}.at > ${b}.at`,
    `${b}.at <= ${a}.at`,
    `${a}.at >= ${b}.at + ${shift}`,
    `${b}.at - ${shift} < ${a}.at`,
  ])
}

/** `a` and `b` at most so far apart, said in one of the ways in which people say it. */
function near(random: SeededRandom, a: string, b: string): string {
  const [least, most] = [random.below(8) * 500, random.below(12) * 500]
  return random.pick([
    `${b}.at BETWEEN ${a}.at - INTERVAL ${least} MILLISECOND AND ${a}.at + INTERVAL ${most} MILLISECOND`,
    `${a}.at <= ${b}.at + INTERVAL ${least} MILLISECOND AND ${a}.at >= ${b}.at - INTERVAL ${most} MILLISECOND`,
    `${b}.at > ${a}.at - INTERVAL ${least} MILLISECOND AND ${b}.at < ${a}.at + INTERVAL ${most} MILLISECOND`,
    `${b}.at >= ${a}.at AND ${b}.at - INTERVAL ${most} MILLISECOND <= ${a}.at`,
    `${a}.at = ${b}.at`,
    `${b}.at BETWEEN ${a}.at + INTERVAL ${least} MILLISECOND AND ${a}.at + INTERVAL ${least + most} MILLISECOND`,
    `${a}.at >= ${b}.at + INTERVAL ${least} MILLISECOND AND ${a}.at < ${b}.at + INTERVAL ${least + most} MILLISECOND`,
  ])
}

/** What two rows of one moment have: which window they are in, and who came first in it. */
function inOneWindow(random: SeededRandom, a: string, b: string): string {
  const window = (side: string) => `tumble(${side}.at, '10 seconds')`
  return `${window(a)} = ${window(b)}${random.pick(['', ` AND ${a}.at >= ${b}.at`, ` AND ${a}.at < ${b}.at`])}`
}

function on(random: SeededRandom, a: string, b: string, mayBeUnbounded = false): string {
  const ids = random.pick([`${a}.id = ${b}.id`, `${a}.id % 3 = ${b}.id % 3`])
  const more = random.pick(['', '', ` AND ${a}.v < ${b}.v`, ` AND ${b}.v > 30`, ` AND ${a}.v > 20`])
  if (mayBeUnbounded && random.next() < 0.2) return `${a}.id = ${b}.id${more}`
  const times = random.next() < 0.15 ? inOneWindow(random, a, b) : near(random, a, b)
  return `${ids} AND ${times}${more}`
}

/**
 * A random query in append mode that joins the streams `a`, `b` and perhaps `c`, perhaps with the table `names` on the
 * way and an aggregation or a DISTINCT on top. Rows of the streams are numbered `n`, rows of `c` have `v`, all have `id` and `at`.
 */
export function randomJoin(random: SeededRandom): string {
  const kind = random.pick(KINDS)
  const isOneSided = kind === 'SEMI JOIN' || kind === 'ANTI JOIN'
  const isAsOf = kind.startsWith('ASOF')
  const keepsAllOf = { 'LEFT JOIN': ['a'], 'RIGHT JOIN': ['b'], 'FULL JOIN': ['a', 'b'] } as const
  const sides = isOneSided ? ['a'] : ['a', 'b']
  // Whose time is there in every row of the result.
  const timed = kind in keepsAllOf ? [...keepsAllOf[kind as 'LEFT JOIN']] : isAsOf ? ['a'] : sides
  let from = 'a'
  if (random.next() < 0.2) from += ` ${random.pick(['JOIN', 'LEFT JOIN'])} names x ON x.id = a.id`
  from += isAsOf
    ? ` ${kind} b ON ${random.pick(['a.id = b.id', 'a.id % 3 = b.id % 3', 'a.id = b.id AND a.v % 2 = b.v % 2'])} AND ${before(random, 'a', 'b')}`
    : ` ${kind} b ON ${on(random, 'a', 'b', kind === 'JOIN' || kind === 'SEMI JOIN')}`
  // Of rows of the same moment an as-of join may take any: only when it was is certain.
  const items = isAsOf
    ? ['a.n AS an', 'a.v AS av', 'b.at AS bat']
    : sides.flatMap((side) => [`${side}.n AS ${side}n`, `${side}.v AS ${side}v`])
  const isBounded = from.includes('.at')
  if (kind !== 'FULL JOIN' && isBounded && random.next() < 0.3) {
    const third = random.pick(['JOIN', 'LEFT JOIN', 'SEMI JOIN', 'ANTI JOIN'])
    from += ` ${third} c ON ${on(random, timed[0] as string, 'c')}`
    if (third === 'JOIN' || third === 'LEFT JOIN') items.push('c.n AS cn')
  }
  if (random.next() < 0.2) {
    from += ` LEFT JOIN names y ON y.id = ${timed[0]}.id`
    items.push('y.label')
  }
  const streams = ['a', 'b', 'c'].map(
    (side) => `${side} AS (SELECT n, id, at, v FROM events WHERE side = '${side}')`,
  )
  const head = `WITH ${streams.join(', ')}`
  const canAggregate = kind !== 'FULL JOIN' && isBounded
  const above = random.next()
  if (!canAggregate || above < 0.5) return `${head} SELECT ${items.join(', ')} FROM ${from}`
  const [first] = timed as [string]
  if (above < 0.6)
    return `${head} SELECT DISTINCT ${random.pick([`${first}.id AS k`, `${first}.at, ${first}.n AS ${first}n`])} FROM ${from}`
  const time = `${first}.at`
  const window = random.pick([`tumble(${time}, '5 seconds')`, `tumble(${time}, '10 seconds').start`, time])
  const calls = random.pick([
    'count(*) AS k',
    `count(*) AS k, sum(${first}.v) AS s`,
    `count(DISTINCT ${first}.id) AS k, list(${first}.n ORDER BY ${first}.n) AS l`,
  ])
  const keys = `${first}.id % 3`
  if (above < 0.75)
    return `${head} SELECT ${window} AS w, ${keys} AS m, grouping(${keys}) AS g, ${calls} FROM ${from} GROUP BY w, ROLLUP (${keys})`
  return `${head} SELECT ${window} AS w, ${calls} FROM ${from} GROUP BY w`
}
