import type { DataFrame } from '../../src/index.ts'
import type { OutputMode } from '../../src/output-mode.ts'

/** A query of the crash tests and what plain DuckDB makes of the same events. */
export interface CrashQuery {
  /** Over the stream `events`. */
  readonly sql: string
  /** What is done with the groups of what that gives, by code that keeps a state. */
  readonly groups?: (rows: DataFrame) => DataFrame
  /** Over the table `events` with all that was ever put. */
  readonly expected: string
  readonly mode: OutputMode
  /** Result columns that name a group: of the rows of one group the last counts. */
  readonly key: readonly string[]
  /** Whether event time of the stream carries a watermark. */
  readonly timed: boolean
  /** Statements that make static tables, in both. */
  readonly tables: readonly string[]
}

/** Event times of one phase lie within it, and no row of a phase is put before those of the phase before. */
export const PHASE_SECONDS = 20
/** Two shards are never more than one phase apart, so no row comes too late by chance. */
export const DELAY_SECONDS = 1.5 * PHASE_SECONDS

const plain = { timed: false, key: [], tables: [], mode: 'append' } as const satisfies Partial<CrashQuery>

const WINDOW = 'INTERVAL 15 SECONDS'
const CLOSED = `(SELECT max("at") - INTERVAL ${DELAY_SECONDS} SECONDS FROM events)`
const REACH = 'INTERVAL 10 SECONDS'
const PARTNERS = `a.key = b.key AND a.value <> b.value AND b."at" BETWEEN a."at" AND a."at" + ${REACH}`

/** Some batches have a text of more than one part of an upload. */
const BULKY =
  'SELECT id, CASE WHEN id % 80 = 40 THEN repeat(md5(id::VARCHAR), 300000) END AS text FROM events'

export const CRASH_QUERIES = {
  stateless: {
    ...plain,
    sql: 'SELECT id, key, value * 2 AS twice FROM events WHERE value % 3 <> 0',
    expected: 'SELECT id, key, value * 2 AS twice FROM events WHERE value % 3 <> 0',
  },
  aggregate: {
    ...plain,
    mode: 'update',
    key: ['key'],
    sql: 'SELECT key, count(*) AS n, sum(value) AS total, max(id) AS youngest FROM events GROUP BY key',
    expected: 'SELECT key, count(*) AS n, sum(value) AS total, max(id) AS youngest FROM events GROUP BY key',
  },
  windowed: {
    ...plain,
    timed: true,
    sql: `SELECT tumble(at, ${WINDOW}).start AS start, key, count(*) AS n, sum(value) AS total FROM events GROUP BY tumble(at, ${WINDOW}), key`,
    expected:
      `SELECT time_bucket(${WINDOW}, "at", TIMESTAMP '1970-01-01') AS start, key, count(*) AS n, sum(value) AS total ` +
      `FROM events WHERE NOT late AND time_bucket(${WINDOW}, "at", TIMESTAMP '1970-01-01') + ${WINDOW} <= ${CLOSED} ` +
      'GROUP BY 1, 2',
  },
  dedup: {
    ...plain,
    sql: 'SELECT DISTINCT key, value FROM events',
    expected: 'SELECT DISTINCT key, value FROM events',
  },
  pairs: {
    ...plain,
    timed: true,
    sql: `SELECT a.id AS id, b.id AS other FROM events a LEFT JOIN events b ON ${PARTNERS}`,
    expected:
      'WITH punctual AS (SELECT * FROM events WHERE NOT late) ' +
      `SELECT a.id AS id, b.id AS other FROM punctual a JOIN punctual b ON ${PARTNERS} ` +
      `UNION ALL SELECT a.id, NULL FROM punctual a WHERE a."at" + ${REACH} <= ${CLOSED} ` +
      `AND NOT EXISTS (FROM punctual b WHERE ${PARTNERS})`,
  },
  lookup: {
    ...plain,
    tables: [
      "CREATE TABLE colours AS SELECT range AS value, 'colour ' || range % 7 AS colour FROM range(60)",
    ],
    sql: 'SELECT e.id, c.colour FROM events e JOIN colours c ON e.value = c.value',
    expected: 'SELECT e.id, c.colour FROM events e JOIN colours c ON e.value = c.value',
  },
  bulky: {
    ...plain,
    sql: BULKY,
    expected: BULKY,
  },
  milestones: {
    ...plain,
    sql: 'SELECT key FROM events',
    groups: (rows) =>
      rows
        .groupByKey('key')
        .flatMapGroupsWithState<{ readonly seen: bigint }>(
          { state: 'seen BIGINT', output: 'key VARCHAR, milestone BIGINT', outputMode: 'append' },
          function* ({ key }, group, state) {
            let seen = state.getOption()?.seen ?? 0n
            for (const _ of group) if (++seen % 5n === 0n) yield { key, milestone: seen }
            state.update({ seen })
          },
        ),
    expected:
      'SELECT key, unnest(range(5, count(*) + 1, 5)) AS milestone FROM events GROUP BY key HAVING count(*) >= 5',
  },
} as const satisfies Readonly<Record<string, CrashQuery>>

export type QueryName = keyof typeof CRASH_QUERIES
