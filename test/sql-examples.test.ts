import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { fillValues } from '../src/cli/script-values.ts'
import type { Row } from '../src/duckdb.ts'
import type { OutputMode } from '../src/output-mode.ts'
import type { SeededRandom } from '../src/testing/seeded-random.ts'
import { type Case, checkAgainstBatch } from './support/oracle.ts'
import { forSeeds } from './support/seeds.ts'

const FOLDER = join(import.meta.dirname, '..', 'sql', 'examples')

/** What the streams of the examples bring, with all the columns that an example asks for. */
const STREAMS: Readonly<Record<string, Pick<Case, 'columns'> & { row(random: SeededRandom): Row }>> = {
  clicks: {
    columns: {
      userId: 'BIGINT',
      page: 'VARCHAR',
      at: 'TIMESTAMP',
      shardId: 'VARCHAR',
      approximateArrivalTimestamp: 'TIMESTAMP',
    },
    row: (random) => ({
      userId: BigInt(random.below(9)),
      page: random.pick(['/home', '/shop/', '/shop/cart', '/shopping', null]),
      at: new Date(Date.UTC(2026, 0, 1) + random.below(86_400_000)),
      shardId: `shardId-00000000000${random.below(3)}`,
      approximateArrivalTimestamp: new Date(Date.UTC(2026, 0, 2) + random.below(86_400_000)),
    }),
  },
  sentences: {
    columns: { data: 'BLOB' },
    row: (random) => {
      const words = Array.from(
        { length: random.below(6) },
        () => `${random.pick(['Word', 'w', ''])}${random.below(15)}`,
      )
      return { data: Buffer.from(words.join(' ')) }
    },
  },
}

/** The keys of those whose sink gets the rows that have changed. */
const KEYS: Readonly<Record<string, readonly string[]>> = { 'clicks-per-page': ['page'] }

/** The query of an example's sink, with its views before it, over `events` in place of its stream. */
function queryOf(script: string): {
  readonly stream: string
  readonly sql: string
  readonly mode: OutputMode
} {
  const statements = script.replaceAll(/^--.*$/gm, '').split(';')
  const find = (pattern: RegExp) =>
    statements.map((each) => pattern.exec(each)?.groups ?? {}).filter((each) => each['name'])
  const [stream] = find(/CREATE STREAM (?<name>\w+)/)
  const [sink] = find(/CREATE SINK (?<name>\w+) USING \w+ OPTIONS \((?<options>.*?)\) AS\s(?<select>.*)/s)
  const views = find(/CREATE VIEW (?<name>\w+) AS\s(?<select>.*)/s).map(
    ({ name, select }) => `${name} AS (${select})`,
  )
  assert.ok(stream?.['name'] && sink?.['select'])
  const mode = /outputMode '(\w+)'/.exec(sink['options'] ?? '')?.[1] ?? 'append'
  const sql = `${views.length > 0 ? `WITH ${views.join(', ')} ` : ''}${sink['select']}`
  const name = stream['name']
  return {
    stream: name,
    sql: sql.replaceAll(new RegExp(`\\bFROM ${name}\\b`, 'g'), 'FROM events'),
    mode: mode as OutputMode,
  }
}

for (const file of readdirSync(FOLDER).filter((each) => each.endsWith('.sql'))) {
  const name = basename(file, '.sql')
  test(`example ${name} in random cuts, with crashes, gives the batch answer`, () =>
    forSeeds(2, async (random) => {
      const script = fillValues(file, readFileSync(join(FOLDER, file), 'utf8'), new Map(), {})
      const { stream, sql, mode } = queryOf(script)
      const { columns, row } = STREAMS[stream]!
      const rows = Array.from({ length: 200 }, () => row(random))
      await checkAgainstBatch({ columns, rows, sql, mode, key: KEYS[name] ?? [] }, random)
    }))
}
