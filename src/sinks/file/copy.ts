import type { Field, Schema } from '../../batch.ts'
import { literal, quoted } from '../../duckdb.ts'
import type { FileLayout } from './options.ts'

/** Below this name, with what DuckDB adds for the compression, it leaves the files of partitions. */
const UNFINISHED = 'unfinished'

/** Stands in no JSON text: control characters are escaped there. */
const NO_CHARACTER_OF_JSON = '\u001f'

/**
 * The COPY that writes a relation into a directory that exists and is empty: one file, or a tree of
 * `column=value` directories. No name that it gives ends as finished data files do, so that readers of the whole
 * output pass them by.
 */
export function copyStatement(
  layout: FileLayout,
  schema: Schema,
  relation: string,
  directory: string,
): string {
  const { kind, partitionBy, settings } = layout
  const isPartitioned = partitionBy.length > 0
  const target = isPartitioned ? directory : `${directory}/${UNFINISHED}`
  const partitions = partitionBy.map(quoted).join(', ')
  const all = [
    ...(kind === 'json' ? JSON_LINES : [`FORMAT ${kind}`]),
    ...settings,
    ...(isPartitioned ? [`PARTITION_BY (${partitions})`, `FILE_EXTENSION ${literal(UNFINISHED)}`] : []),
  ]
  return `COPY (SELECT ${itemsOf(layout, schema)} FROM ${relation}) TO ${literal(target)} (${all.join(', ')})`
}

/** The COPY that merges Parquet files of one output, and of one of its partitions, into one file. */
export function mergeStatement({ settings }: FileLayout, files: readonly string[], target: string): string {
  const from = `read_parquet([${files.map(literal).join(', ')}], hive_partitioning = false, union_by_name = true)`
  return `COPY (FROM ${from}) TO ${literal(target)} (${['FORMAT parquet', ...settings].join(', ')})`
}

/** DuckDB's own JSON format knows no partitions, and is no more than this: one text a line, nothing quoted. */
const JSON_LINES = [
  'FORMAT csv',
  'HEADER false',
  "QUOTE ''",
  "ESCAPE ''",
  `DELIMITER ${literal(NO_CHARACTER_OF_JSON)}`,
]

function itemsOf({ kind, partitionBy }: FileLayout, schema: Schema): string {
  if (kind === 'csv') return '*'
  if (kind === 'parquet') return schema.map(parquetItem).join(', ')
  const fields = schema.filter(({ name }) => !partitionBy.includes(name))
  const members = fields.map(({ name }) => `${literal(name)}: ${quoted(name)}`)
  return [`to_json({${members.join(', ')}})`, ...partitionBy.map(quoted)].join(', ')
}

/** Parquet has no 128-bit integers, and DuckDB would write doubles instead; sums of BIGINT are such integers. */
function parquetItem({ name, type }: Field): string {
  const exact = type.replace(QUOTED_OR_HUGE, (word) => (HUGE.test(word) ? 'DECIMAL(38,0)' : word))
  return exact === type ? quoted(name) : `${quoted(name)}::${exact} AS ${quoted(name)}`
}

const HUGE = /^U?HUGEINT$/
const QUOTED_OR_HUGE = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\bU?HUGEINT\b/g
