import type { SeededRandom } from '../../src/testing/seeded-random.ts'

const KINDS = ['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'SEMI JOIN', 'ANTI JOIN'] as const

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

function on(random: SeededRandom, a: string, b: string, mayBeUnbounded = false): string {
  const ids = random.pick([`${a}.id = ${b}.id`, `${a}.id % 3 = ${b}.id % 3`])
  const more = random.pick(['', '', ` AND ${a}.v < ${b}.v`, ` AND ${b}.v > 30`, ` AND ${a}.v > 20`])
  if (mayBeUnbounded && random.next() < 0.2) return `${a}.id = ${b}.id${more}`
  return `${ids} AND ${near(random, a, b)}${more}`
}

/**
 * A random query in append mode that joins the streams `a`, `b` and perhaps `c`, perhaps with the table `names` on the
 * way and an aggregation on top. Rows of the streams are numbered `n`, rows of `c` have `v`, all have `id` and `at`.
 */
export function randomJoin(random: SeededRandom): string {
  const kind = random.pick(KINDS)
  const isOneSided = kind === 'SEMI JOIN' || kind === 'ANTI JOIN'
  const keepsAllOf = { 'LEFT JOIN': ['a'], 'RIGHT JOIN': ['b'], 'FULL JOIN': ['a', 'b'] } as const
  const sides = isOneSided ? ['a'] : ['a', 'b']
  // Whose time is there in every row of the result.
  const timed = kind in keepsAllOf ? [...keepsAllOf[kind as 'LEFT JOIN']] : sides
  let from = 'a'
  if (random.next() < 0.2) from += ` ${random.pick(['JOIN', 'LEFT JOIN'])} names x ON x.id = a.id`
  from += ` ${kind} b ON ${on(random, 'a', 'b', kind === 'JOIN' || kind === 'SEMI JOIN')}`
  const items = sides.flatMap((side) => [`${side}.n AS ${side}n`, `${side}.v AS ${side}v`])
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
  if (!canAggregate || random.next() < 0.6) return `${head} SELECT ${items.join(', ')} FROM ${from}`
  const time = `${timed[0]}.at`
  const window = random.pick([`tumble(${time}, '5 seconds')`, `tumble(${time}, '10 seconds').start`, time])
  const calls = random.pick([
    'count(*) AS k',
    `count(*) AS k, sum(${timed[0]}.v) AS s`,
    `count(DISTINCT ${timed[0]}.id) AS k, list(${timed[0]}.n ORDER BY ${timed[0]}.n) AS l`,
  ])
  return `${head} SELECT ${window} AS w, ${calls} FROM ${from} GROUP BY w`
}
