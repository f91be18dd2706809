import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Schema } from '../../batch.ts'
import { reasonOf, SluiceError } from '../../errors.ts'
import { directoryStore } from '../../files/directory-store.ts'
import type { FileStore } from '../../files/store.ts'
import { parseS3Location } from '../../s3/location.ts'
import type { S3Settings } from '../../s3/options.ts'
import type { SourceContext, SourceFormat } from '../source.ts'
import { FileRows } from './file-rows.ts'
import { FilesSource } from './files-source.ts'
import { type FileKind, type FilesOptions, parseFilesOptions } from './options.ts'

/** `.format('parquet')` and its like: the rows of files as they come into a directory or a bucket. */
export function filesFormat(kind: FileKind): SourceFormat {
  return Object.freeze({
    name: kind,
    takesColumns: true,
    schema: ({ options, columns }) => columnsOf(parseFilesOptions(kind, options), columns),
    describe: ({ options }) => parseFilesOptions(kind, options).description,
    open: (context) => {
      const options = parseFilesOptions(kind, context.options)
      const schema = columnsOf(options, context.columns)
      const rows = new FileRows(options.description, kind, options.csv, schema)
      return new FilesSource(options, schema, rows, () => openStore(options, context), context.clock)
    },
  } satisfies SourceFormat)
}

function columnsOf({ description, path }: FilesOptions, columns: Schema | undefined): Schema {
  if (columns && columns.length > 0) return columns
  throw new SluiceError('FILES_SCHEMA', { source: description, path })
}

async function openStore(options: FilesOptions, { clock }: SourceContext): Promise<FileStore> {
  const { path, description: source, s3 } = options
  const failed = (operation: string, file: string, cause: unknown) => {
    if (cause instanceof SluiceError) return cause
    return new SluiceError('FILES_IO', { source, operation, path: file, reason: reasonOf(cause) }, { cause })
  }
  const refuse = (reason: string, shown: string) =>
    new SluiceError('FILES_PATH', { source: source.replace(path, shown), path: shown, reason })
  if (s3) return bucketOf(s3, path, { name: `the source ${source}`, localFailure: failed }, refuse, clock)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1]?.toLowerCase()
  if (scheme === undefined) return directoryStore(resolve(path), failed)
  if (scheme === 'file') return directoryStore(fileURLToPath(path), failed)
  throw refuse(`reading from ${scheme}:// is not supported`, path)
}

async function bucketOf(
  settings: S3Settings,
  path: string,
  owner: Parameters<typeof import('../../files/bucket-store.ts').bucketStore>[0],
  refuse: Parameters<typeof parseS3Location>[1],
  clock: SourceContext['clock'],
): Promise<FileStore> {
  // Loaded on demand: the S3 client takes its time to load, and few programs need it.
  const { bucketStore } = await import('../../files/bucket-store.ts')
  return bucketStore(owner, parseS3Location(path, refuse), settings, clock)
}
