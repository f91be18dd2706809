import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Client } from 'pg'
import { Database, literal } from '../../src/duckdb.ts'
import type { OptionValue } from '../../src/options.ts'
import { finalLines, type Line, lineOf, readBatches } from './batch-files.ts'
import { CRASH_QUERIES, type CrashQuery, type QueryName } from './queries.ts'

/** A sink of the crash tests, and how to see what it holds once no process writes to it. */
export interface CrashSink {
  /** What is written to it in the whole matrix. */
  readonly queries: readonly QueryName[]
  /** As `writeStream.format(…)` knows it; absent for a function, which writes one file a batch. */
  readonly format?: string
  options(directory: string, query: CrashQuery): Readonly<Record<string, OptionValue>>
  lines(directory: string, query: CrashQuery): Promise<readonly Line[]>
}

/** The URL of the server that `npm run crash` started, for its children as well. */
export const CRASH_POSTGRES = 'SLUICE_CRASH_POSTGRES'

const tableOf = (directory: string) => `t${createHash('md5').update(directory).digest('hex')}`

/** A new sink needs a row here, and is killed at every step from then on. */
export const CRASH_SINKS = {
  foreachBatch: {
    queries: Object.keys(CRASH_QUERIES) as QueryName[],
    options: () => ({}),
    lines: async (directory, query) => finalLines(query, readBatches(directory)),
  },
  parquet: {
    queries: ['stateless', 'windowed'],
    format: 'parquet',
    options: (directory) => ({ path: join(directory, 'out') }),
    lines: (directory) => rows(`FROM read_parquet(${literal(join(directory, 'out', '**', '*.parquet'))})`),
  },
  duckdb: {
    queries: ['stateless', 'aggregate'],
    format: 'duckdb',
    options: (directory, { key }) => ({
      path: join(directory, 'out.duckdb'),
      table: 'results',
      ...(key.length > 0 ? { key: key.join(', ') } : {}),
    }),
    lines: (directory) =>
      rows('FROM reader.results', `ATTACH ${literal(join(directory, 'out.duckdb'))} AS reader (READ_ONLY)`),
  },
  postgres: {
    queries: ['stateless', 'aggregate'],
    format: 'postgres',
    options: (directory, { key }) => ({
      url: process.env[CRASH_POSTGRES] ?? '',
      table: tableOf(directory),
      retryInterval: '1ms',
      ...(key.length > 0 ? { key: key.join(', ') } : {}),
    }),
    lines: async (directory) => {
      const client = new Client(process.env[CRASH_POSTGRES])
      await client.connect()
      try {
        const { rows } = await client.query(`SELECT row_to_json(r) AS line FROM "${tableOf(directory)}" r`)
        return rows.map(({ line }) => JSON.stringify(line))
      } finally {
        await client.end()
      }
    },
  },
} as const satisfies Readonly<Record<string, CrashSink>>

export type SinkName = keyof typeof CRASH_SINKS

async function rows(select: string, ...before: readonly string[]): Promise<readonly Line[]> {
  const database = await Database.open()
  try {
    const connection = await database.connect()
    for (const statement of before) await connection.run(statement)
    return (await connection.rows(select)).map(lineOf)
  } finally {
    database.close()
  }
}
