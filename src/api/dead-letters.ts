import { LETTER_SCHEMA } from '../engine/dead-letters.ts'
import type { OptionValue } from '../options.ts'
import type { DataFrame } from './dataframe.ts'
import { DataStreamReader } from './reader.ts'
import type { SessionContext } from './session-context.ts'

export type LetterKind = 'bad' | 'late' | 'refused'

export interface DeadLetterOptions {
  /** Of the files: `parquet` (default) or `json`. */
  readonly format?: 'parquet' | 'json'
  /** Default: all. */
  readonly kinds?: readonly LetterKind[]
  /** Options of the files source: `s3.region`, `maxFilesPerTrigger`. */
  readonly options?: Readonly<Record<string, OptionValue>>
}

/** @param path directory (or `s3://` prefix) that a sink of dead letters fills, or one source's part of a `badRecordsPath` */
export function readDeadLetters(
  context: SessionContext,
  path: string,
  { format = 'parquet', kinds, options = {} }: DeadLetterOptions,
): DataFrame {
  // JSON has no bytes: there they stand as DuckDB prints them, which a cast reads again.
  const typeIn = (type: string) => (format === 'json' && type === 'BLOB' ? 'VARCHAR' : type)
  const columns = Object.fromEntries(LETTER_SCHEMA.map(({ name, type }) => [name, typeIn(type)]))
  const letters = new DataStreamReader(context)
    .format(format)
    .options({ path, ...options })
    .schema(columns)
    .load()
    // Bad records that a stream keeps by itself have no kind, and need not have a key.
    .selectExpr(
      "coalesce(kind, 'bad') AS kind",
      'origin',
      'reason',
      '"queryId"',
      '"batchId"',
      `coalesce("partitionKey", "queryId", 'dead letter') AS "partitionKey"`,
      'CAST(data AS BLOB) AS data',
      'details',
    )
  if (kinds === undefined) return letters
  return letters.where(`kind IN (${kinds.map((kind) => `'${kind}'`).join(', ')})`)
}
