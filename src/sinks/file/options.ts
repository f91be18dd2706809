import type { Schema } from '../../batch.ts'
import { literal } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionSpec, type OptionTable, parseOptions } from '../../options.ts'
import { isS3 } from '../../s3/location.ts'
import { parseS3Options, type S3Settings, s3Options } from '../../s3/options.ts'
import { columnList } from '../column-list.ts'
import { localPath } from '../local-path.ts'
import { DIRECTORY } from './disk-error.ts'

export type FileKind = 'parquet' | 'json' | 'csv'

const S3_PREFIX = 's3.'

/** How to reach the bucket of an output on S3. What is absent comes from the environment and the shared AWS files. */
export const FILE_S3_OPTIONS = s3Options(S3_PREFIX)

const COMMON = {
  path: {
    kind: 'text',
    required: true,
    doc: 'directory of the output, made when it is not there, or `s3://bucket/prefix`',
  },
  partitionBy: {
    kind: 'text',
    doc: 'columns, separated by commas, that become directories `column=value`',
  },
} as const satisfies OptionTable

const TEXT_COMPRESSION = {
  kind: 'text',
  doc: 'of the files; gzip adds .gz to their names, zstd .zst',
  default: 'none',
  oneOf: ['none', 'gzip', 'zstd'],
} as const satisfies OptionSpec

const PARQUET_OPTIONS = {
  ...COMMON,
  compression: {
    kind: 'text',
    doc: 'of the pages',
    default: 'zstd',
    oneOf: ['zstd', 'snappy', 'gzip', 'lz4', 'none'],
  },
  compressionLevel: {
    kind: 'count',
    doc: 'of zstd, from 1 (fast) to 22 (small); 3 by default',
    min: 1,
    max: 22,
  },
  rowGroupRows: { kind: 'count', doc: 'rows of a row group', default: '122880', min: 1 },
  targetFileSize: {
    kind: 'bytes',
    doc: 'merge small files of many batches into files of about this size; without it nothing is merged',
    min: 1,
  },
  mergeInterval: { kind: 'count', doc: 'batches from one merge to the next', default: '50', min: 1 },
  keepReplaced: {
    kind: 'duration',
    doc: 'how long files that a merge has replaced are kept for readers that began before it',
    default: '1h',
  },
} as const satisfies OptionTable

const JSON_OPTIONS = { ...COMMON, compression: TEXT_COMPRESSION } as const satisfies OptionTable

const CSV_OPTIONS = {
  ...COMMON,
  compression: TEXT_COMPRESSION,
  header: { kind: 'boolean', doc: 'whether each file begins with the names of the columns', default: 'true' },
  delimiter: {
    kind: 'text',
    doc: 'one character between values, or the word tab',
    default: ',',
    aliases: ['sep'],
  },
  nullValue: { kind: 'text', doc: 'how NULL is written; an empty text is then quoted', default: '' },
} as const satisfies OptionTable

export const FILE_OPTIONS = {
  parquet: { ...PARQUET_OPTIONS, ...FILE_S3_OPTIONS },
  json: { ...JSON_OPTIONS, ...FILE_S3_OPTIONS },
  csv: { ...CSV_OPTIONS, ...FILE_S3_OPTIONS },
} as const

/** When and how small files become larger ones. */
export interface MergeSettings {
  readonly targetBytes: number
  readonly everyBatches: number
  readonly keepReplacedMs: number
}

/** What the data files look like and where they go. */
export interface FileLayout {
  readonly kind: FileKind
  /** For messages: `parquet[/data/clicks]`. */
  readonly description: string
  /** An absolute path, or `s3://bucket/prefix`. */
  readonly root: string
  /** How to reach the bucket; absent for a directory. */
  readonly s3: S3Settings | undefined
  /** As the query spells them. */
  readonly partitionBy: readonly string[]
  /** Of a data file: `.csv.gz`. */
  readonly extension: string
  /** For COPY: `COMPRESSION 'zstd'`. */
  readonly settings: readonly string[]
  /** Absent where nothing is merged. */
  readonly merge?: MergeSettings | undefined
}

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, SINK_PATH */
export function parseFileOptions(kind: FileKind, given: GivenOptions, schema: Schema): FileLayout {
  const isOfS3 = ([name]: readonly [string, unknown]) => name.toLowerCase().startsWith(S3_PREFIX)
  const own = new Map([...given].filter((option) => !isOfS3(option)))
  const { path, partitionBy, ...encoding } = READ[kind](own)
  const owner = `sink ${kind}`
  const toReach: GivenOptions = new Map([...given].filter(isOfS3))
  const s3 = isS3(path) ? parseS3Options(owner, S3_PREFIX, toReach) : undefined
  if (!s3) parseOptions(`${owner} in a directory`, {}, toReach)
  return Object.freeze({
    kind,
    description: `${kind}[${path}]`,
    root: s3 ? path.replace(/\/$/, '') : localPath(kind, path, DIRECTORY),
    s3,
    partitionBy: partitionBy === undefined ? [] : partitionsOf(owner, partitionBy, schema),
    ...encoding,
  })
}

interface Read extends Pick<FileLayout, 'extension' | 'settings' | 'merge'> {
  readonly path: string
  readonly partitionBy: string | undefined
}

const READ: Readonly<Record<FileKind, (given: GivenOptions) => Read>> = {
  parquet: (given) => {
    const options = parseOptions('sink parquet', PARQUET_OPTIONS, given)
    const { path, partitionBy, compression, compressionLevel: level, targetFileSize } = options
    if (level !== undefined && compression !== 'zstd') {
      refuse(
        'sink parquet',
        'compressionLevel',
        String(level),
        `none for ${compression}, which has no levels`,
      )
    }
    const codec = compression === 'none' ? 'uncompressed' : compression
    const settings = [
      `COMPRESSION ${codec}`,
      ...(level === undefined ? [] : [`COMPRESSION_LEVEL ${level}`]),
      `ROW_GROUP_SIZE ${options.rowGroupRows}`,
    ]
    const merge =
      targetFileSize === undefined
        ? undefined
        : {
            targetBytes: targetFileSize,
            everyBatches: options.mergeInterval,
            keepReplacedMs: options.keepReplaced,
          }
    return { path, partitionBy, extension: '.parquet', settings, merge }
  },
  json: (given) => {
    const { path, partitionBy, compression } = parseOptions('sink json', JSON_OPTIONS, given)
    return {
      path,
      partitionBy,
      extension: `.json${SUFFIX[compression] ?? ''}`,
      settings: [`COMPRESSION ${compression}`],
    }
  },
  csv: (given) => {
    const options = parseOptions('sink csv', CSV_OPTIONS, given)
    const { path, partitionBy, compression } = options
    const delimiter = options.delimiter.toLowerCase() === 'tab' ? '\t' : options.delimiter
    if ([...delimiter].length !== 1) refuse('sink csv', 'delimiter', delimiter, 'one character, or tab')
    const settings = [
      `COMPRESSION ${compression}`,
      `HEADER ${options.header}`,
      `DELIMITER ${literal(delimiter)}`,
      `NULLSTR ${literal(options.nullValue)}`,
    ]
    return { path, partitionBy, extension: `.csv${SUFFIX[compression] ?? ''}`, settings }
  },
}

const SUFFIX: Readonly<Record<string, string>> = { gzip: '.gz', zstd: '.zst' }

function partitionsOf(owner: string, text: string, schema: Schema): readonly string[] {
  const columns = columnList(owner, 'partitionBy', text, schema)
  if (columns.length < schema.length) return columns
  return refuse(
    owner,
    'partitionBy',
    text,
    'fewer columns than the query has: one must be left for the files',
  )
}

function refuse(owner: string, option: string, value: string, expected: string): never {
  throw new SluiceError('OPTION_INVALID', { owner, option, value: value.slice(0, 80), expected })
}
