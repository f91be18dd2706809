import { literal } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionTable, parseOptions } from '../../options.ts'
import { isS3 } from '../../s3/location.ts'
import { parseS3Options, type S3Settings, s3Options } from '../../s3/options.ts'

export type FileKind = 'parquet' | 'json' | 'csv'

const S3_PREFIX = 's3.'

/** How to reach the bucket of files on S3. What is absent comes from the environment and the shared AWS files. */
export const FILES_S3_OPTIONS = s3Options(S3_PREFIX)

const COMMON = {
  path: { kind: 'text', required: true, doc: 'directory of the files, or `s3://bucket/prefix`' },
  maxFilesPerTrigger: {
    kind: 'count',
    doc: 'most files in one batch',
    default: '1000',
    min: 1,
  },
  maxBytesPerTrigger: {
    kind: 'bytes',
    doc: 'most bytes of files in one batch; at least one file is always taken, and as a whole',
    default: '64MiB',
    min: 1,
  },
  pollInterval: {
    kind: 'duration',
    doc: 'from a look that found nothing to the next; 100ms in a directory and 1s in a bucket, where every look is a request',
    min: 1,
  },
  latestFirst: {
    kind: 'text',
    doc: 'files are read in the order of their times; here for jobs that say so',
    default: 'false',
    oneOf: ['false'],
  },
} as const satisfies OptionTable

const CSV = {
  header: {
    kind: 'boolean',
    doc: 'csv: whether each file begins with the names of its columns',
    default: 'true',
  },
  delimiter: {
    kind: 'text',
    doc: 'csv: one character between values, or the word tab',
    default: ',',
    aliases: ['sep'],
  },
  nullValue: { kind: 'text', doc: 'csv: what stands for NULL where it has no quotes', default: '' },
} as const satisfies OptionTable

/** Of the files source by kind, but for those of S3. */
export const FILES_OPTIONS = {
  parquet: COMMON,
  json: COMMON,
  csv: { ...COMMON, ...CSV },
} as const

const POLL_DIRECTORY_MS = 100
const POLL_BUCKET_MS = 1000

export interface FilesOptions {
  readonly kind: FileKind
  /** For messages: `parquet[/data/clicks]`. */
  readonly description: string
  readonly path: string
  /** How to reach the bucket; absent for a directory. */
  readonly s3: S3Settings | undefined
  readonly maxFiles: number
  readonly maxBytes: number
  readonly pollIntervalMs: number
  readonly csv: CsvLayout
}

export interface CsvLayout {
  readonly header: boolean
  /** For `read_csv`: `delim = ','`. */
  readonly settings: readonly string[]
}

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID */
export function parseFilesOptions(kind: FileKind, given: GivenOptions): FilesOptions {
  const owner = `source ${kind}`
  const isOfS3 = ([name]: readonly [string, unknown]) => name.toLowerCase().startsWith(S3_PREFIX)
  const toReach: GivenOptions = new Map([...given].filter(isOfS3))
  const own: GivenOptions = new Map([...given].filter((option) => !isOfS3(option)))
  const options = parseOptions(owner, FILES_OPTIONS[kind], own)
  const s3 = isS3(options.path) ? parseS3Options(owner, S3_PREFIX, toReach) : undefined
  if (!s3) parseOptions(`${owner} in a directory`, {}, toReach)
  return Object.freeze({
    kind,
    description: `${kind}[${options.path}]`,
    path: options.path,
    s3,
    maxFiles: options.maxFilesPerTrigger,
    maxBytes: options.maxBytesPerTrigger,
    pollIntervalMs: options.pollInterval ?? (s3 ? POLL_BUCKET_MS : POLL_DIRECTORY_MS),
    csv: csvLayout(owner, kind === 'csv' ? parseOptions(owner, FILES_OPTIONS.csv, own) : undefined),
  })
}

function csvLayout(
  owner: string,
  options: { header: boolean; delimiter: string; nullValue: string } | undefined,
): CsvLayout {
  const { header, delimiter: written, nullValue } = options ?? { header: true, delimiter: ',', nullValue: '' }
  const delimiter = written.toLowerCase() === 'tab' ? '\t' : written
  if ([...delimiter].length !== 1) {
    const expected = 'one character, or tab'
    throw new SluiceError('OPTION_INVALID', {
      owner,
      option: 'delimiter',
      value: written.slice(0, 80),
      expected,
    })
  }
  const settings = [
    `header = ${header}`,
    `delim = ${literal(delimiter)}`,
    `nullstr = ${literal(nullValue)}, allow_quoted_nulls = false`,
    `quote = '"', escape = '"', comment = '', all_varchar = true, strict_mode = true, max_line_size = ${CSV_LINE_BYTES}`,
  ]
  return { header, settings }
}

/** A value may have some megabytes; DuckDB takes 2 MB unless told. */
const CSV_LINE_BYTES = 64 * 1024 * 1024
