import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { type Connection, Database, type Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import { nexmarkFormat } from '../../src/sources/nexmark/format.ts'
import type { Source } from '../../src/sources/source.ts'

export const NEXMARK_FOLDER = join(import.meta.dirname, '..', '..', 'sql', 'nexmark')

export const NEXMARK_STREAMS = ['person', 'auction', 'bid'] as const

/** What `tumble` means, for a DuckDB of its own that knows nothing of the engine. */
export const TUMBLE_MACRO = `CREATE MACRO tumble(ts, size) AS {
  'start': time_bucket(size, ts, TIMESTAMP '1970-01-01'),
  'end': time_bucket(size, ts, TIMESTAMP '1970-01-01') + size }`

export type NexmarkStream = (typeof NEXMARK_STREAMS)[number]

/** A file of `sql/nexmark` with what its comments say. */
export interface NexmarkQuery {
  readonly name: string
  readonly sql: string
  /** The same for plain DuckDB. */
  readonly batchSql: string
  readonly mode: OutputMode
  readonly key: readonly string[]
  readonly watermarks: readonly (readonly [stream: string, column: string, delay: string])[]
  readonly setup: readonly string[]
}

/** All queries, by number. */
export function nexmarkQueries(): NexmarkQuery[] {
  const names = readdirSync(NEXMARK_FOLDER).flatMap((file) => /^(q\d+)\.sql$/.exec(file)?.[1] ?? [])
  return names.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))).map(nexmarkQuery)
}

export function nexmarkQuery(name: string): NexmarkQuery {
  const sql = textOf(`${name}.sql`) ?? ''
  const said = (word: string) =>
    [...sql.matchAll(new RegExp(`^-- ${word}: (.*)$`, 'gm'))].map((match) => match[1] as string)
  return {
    name,
    sql,
    batchSql: textOf(`${name}.batch.sql`) ?? sql,
    mode: said('mode')[0] as OutputMode,
    key: said('key').flatMap((columns) => columns.split(', ')),
    watermarks: said('watermark').map((text) => {
      const [stream = '', column = '', ...delay] = text.split(' ')
      return [stream, column, delay.join(' ')]
    }),
    setup: said('setup'),
  }
}

function textOf(file: string): string | undefined {
  return readdirSync(NEXMARK_FOLDER).includes(file)
    ? readFileSync(join(NEXMARK_FOLDER, file), 'utf8')
    : undefined
}

export type NexmarkSettings = Readonly<Record<string, OptionValue>>

/** The stream `table` with its options, opened. */
export function openNexmark(settings: NexmarkSettings, clock = systemClock): Source {
  return nexmarkFormat.open({ options: new Map(Object.entries(settings)), clock, log: silentLogger })
}

/** The first `n` events of a seed, as plain rows of each kind. Timestamps are cut to milliseconds. */
export async function nexmarkRows(
  seed: number,
  n: number,
  settings: NexmarkSettings = {},
): Promise<Readonly<Record<NexmarkStream, Row[]>>> {
  const database = await Database.open()
  try {
    const connection = await database.connect()
    await loadNexmark(connection, { ...settings, seed, events: n })
    const [person, auction, bid] = await Promise.all(
      NEXMARK_STREAMS.map((stream) => connection.rows(`FROM ${stream}`)),
    )
    return { person: person ?? [], auction: auction ?? [], bid: bid ?? [] }
  } finally {
    database.close()
  }
}

/** Fills the temporary tables `person`, `auction` and `bid` with all events of a finite stream. */
export async function loadNexmark(connection: Connection, settings: NexmarkSettings): Promise<void> {
  for (const table of NEXMARK_STREAMS) {
    const source = openNexmark({ ...settings, table, batchEvents: Number(settings['events']) })
    const { batch } = await source.read(await source.initial(), new AbortController().signal)
    await connection.attach(table, source.schema, batch?.records ?? [])
  }
}

/** What a query gives: how many rows, and a digest of them in any order. */
export interface Answer {
  readonly rows: number
  readonly digest: string
}

/** Plain DuckDB over a finite stream. */
export class NexmarkOracle {
  readonly connection: Connection
  readonly #database: Database

  private constructor(database: Database, connection: Connection) {
    this.#database = database
    this.connection = connection
  }

  static async open(settings: NexmarkSettings): Promise<NexmarkOracle> {
    const database = await Database.open()
    const connection = await database.connect()
    await connection.run(TUMBLE_MACRO)
    await loadNexmark(connection, settings)
    return new NexmarkOracle(database, connection)
  }

  /** The batch form of a query; its rows stay in the table `expected` until the next call. */
  async answer({ setup, batchSql }: NexmarkQuery): Promise<Answer> {
    for (const statement of setup)
      await this.connection.run(statement.replace('CREATE TABLE', 'CREATE OR REPLACE TABLE'))
    await this.connection.run(`CREATE OR REPLACE TEMP TABLE expected AS ${batchSql}`)
    return this.digest('expected')
  }

  async digest(table: string): Promise<Answer> {
    const [row] = await this.connection.rows(
      `SELECT count(*) AS n, coalesce(md5(string_agg(line, chr(10) ORDER BY line)), '') AS digest
       FROM (SELECT answer::VARCHAR AS line FROM ${table} answer)`,
    )
    return { rows: Number(row?.['n']), digest: String(row?.['digest']) }
  }

  close(): void {
    this.connection.close()
    this.#database.close()
  }
}

/** The answer of plain DuckDB to a query over the first `n` events. */
export async function batchAnswer(
  query: NexmarkQuery,
  n: number,
  settings: NexmarkSettings = {},
): Promise<Answer> {
  const oracle = await NexmarkOracle.open({ seed: 1, ...settings, events: n })
  try {
    return await oracle.answer(query)
  } finally {
    oracle.close()
  }
}
