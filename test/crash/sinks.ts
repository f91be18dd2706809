import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Client } from 'pg'
import { Database, literal } from '../../src/duckdb.ts'
import { Session } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import type { S3Double } from '../../src/testing/s3/double.ts'
import { finalLines, type Line, lineOf, readBatches } from './batch-files.ts'
import { CRASH_QUERIES, type CrashQuery, type QueryName } from './queries.ts'

/** Where the sink of one trial writes to. */
export interface Target {
  /** Of this trial alone. */
  readonly directory: string
  readonly services: Services
}

/** What sinks reach over a wire. */
export interface Services {
  readonly s3?: { readonly double: S3Double; readonly endpointUrl: string }
  /** The URL of a server. */
  readonly postgres?: string | undefined
}

/** A sink of the crash tests, and how to see what it holds once no process writes to it. */
export interface CrashSink {
  /** What is written to it in the whole matrix. */
  readonly queries: readonly QueryName[]
  /** As `writeStream.format(…)` knows it; absent for a function, which writes one file a batch. */
  readonly format?: string
  /** Failpoints of its own: without one of them a step would no longer be tried, and nobody would notice. */
  readonly passes: readonly string[]
  options(target: Target, query: CrashQuery): Readonly<Record<string, OptionValue>>
  lines(target: Target, query: CrashQuery): Promise<readonly Line[]>
  /** Removes what it holds outside of the directory. */
  remove?(target: Target): void
}

/** The bucket of all sinks on S3. */
export const RESULTS = 'results'
/** After each batch, so that a merge meets the files of the one before. */
const MERGED = { targetFileSize: '1MiB', mergeInterval: 1, keepReplaced: '0s' }

const tableOf = ({ directory }: Target) => `t${createHash('md5').update(directory).digest('hex')}`
const prefixOf = ({ directory }: Target) => `${basename(dirname(directory))}/`

const FILE_STEPS = ['sink.staged', 'sink.moved', 'sink.recorded']
const TABLE_STEPS = ['sink.begun', 'sink.added', 'sink.committed']
const PART_STEPS = ['beginning', 'begun', 'part-sending', 'part-sent', 'completing', 'completed']

const onDisk = {
  format: 'parquet',
  passes: FILE_STEPS,
  options: ({ directory }) => ({ path: join(directory, 'out') }),
} as const satisfies Partial<CrashSink>

const onS3 = {
  format: 'parquet',
  passes: [...FILE_STEPS, 'object.sending', 'object.created', 'object.removed'],
  options: (target) => ({
    path: `s3://${RESULTS}/${prefixOf(target)}`,
    's3.endpointUrl': s3Of(target).endpointUrl,
    's3.pathStyle': true,
    's3.region': 'us-east-1',
    's3.awsAccessKeyId': 'anybody',
    's3.awsSecretKey': 'anything',
  }),
  lines: linesInBucket,
  remove: (target) => {
    const { double } = s3Of(target)
    for (const key of double.keys(RESULTS, prefixOf(target))) double.remove(RESULTS, key)
  },
} as const satisfies Partial<CrashSink>

/** A new sink needs a row here, and is killed at every step from then on. */
export const CRASH_SINKS = {
  foreachBatch: {
    queries: (Object.keys(CRASH_QUERIES) as QueryName[]).filter((query) => query !== 'bulky'),
    passes: ['sink.asked', 'sink.drafted', 'sink.placed'],
    options: () => ({}),
    lines: async ({ directory }, query) => finalLines(query, readBatches(directory)),
  },
  parquet: {
    ...onDisk,
    queries: ['stateless', 'windowed'],
    // As somebody who knows no ledger.
    lines: ({ directory }) =>
      rows(`FROM read_parquet(${literal(join(directory, 'out', '**', '*.parquet'))})`),
  },
  'parquet, merged': {
    ...onDisk,
    queries: ['stateless'],
    passes: [...onDisk.passes, 'sink.merged', 'sink.removed'],
    options: (target) => ({ ...onDisk.options(target), ...MERGED }),
    lines: ({ directory }) => linesByLedger(join(directory, 'out')),
  },
  'parquet on S3': { ...onS3, queries: ['stateless', 'windowed'] },
  'parquet on S3, merged': {
    ...onS3,
    queries: ['stateless'],
    passes: [...onS3.passes, 'sink.merged'],
    options: (target) => ({ ...onS3.options(target), ...MERGED }),
  },
  'parquet on S3, in parts': {
    ...onS3,
    queries: ['bulky'],
    passes: [...onS3.passes, ...PART_STEPS.map((step) => `upload.${step}`)],
    options: (target) => ({ ...onS3.options(target), compression: 'none' }),
  },
  duckdb: {
    queries: ['stateless', 'aggregate'],
    format: 'duckdb',
    passes: TABLE_STEPS,
    options: ({ directory }, { key }) => ({
      path: join(directory, 'out.duckdb'),
      table: 'results',
      ...(key.length > 0 ? { key: key.join(', ') } : {}),
    }),
    lines: ({ directory }) =>
      rows('FROM reader.results', `ATTACH ${literal(join(directory, 'out.duckdb'))} AS reader (READ_ONLY)`),
  },
  postgres: {
    queries: ['stateless', 'aggregate'],
    format: 'postgres',
    passes: TABLE_STEPS,
    options: (target, { key }) => ({
      url: target.services.postgres ?? '',
      table: tableOf(target),
      retryInterval: '1ms',
      ...(key.length > 0 ? { key: key.join(', ') } : {}),
    }),
    lines: async (target) => {
      const client = new Client(target.services.postgres)
      await client.connect()
      try {
        const { rows } = await client.query(`SELECT row_to_json(r) AS line FROM "${tableOf(target)}" r`)
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

/** What our own reader sees, which knows that merged files stand for others. */
async function linesByLedger(directory: string): Promise<readonly Line[]> {
  const session = await Session.create({ log: silentLogger })
  try {
    return (await (await session.read.parquet(directory)).collect()).map(lineOf)
  } finally {
    await session.close()
  }
}

/** A bucket may hold files that do not count yet: what is not named by the ledger is none of the output. */
async function linesInBucket(target: Target): Promise<readonly Line[]> {
  const { double } = s3Of(target)
  const prefix = prefixOf(target)
  const unfinished = double.uploads(RESULTS).filter((key) => key.startsWith(prefix))
  if (unfinished.length > 0) throw new Error(`parts of ${unfinished.join(', ')} are left`)
  const copy = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
  try {
    for (const key of double.keys(RESULTS, prefix)) {
      const file = join(copy, key.slice(prefix.length))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, double.object(RESULTS, key)?.content ?? '')
    }
    return await linesByLedger(copy)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function s3Of({ services }: Target): NonNullable<Services['s3']> {
  if (!services.s3) throw new Error('there is no S3 for this sink')
  return services.s3
}
