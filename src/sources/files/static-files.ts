import { resolve } from 'node:path'
import { literal } from '../../duckdb.ts'
import { reasonOf, SluiceError } from '../../errors.ts'
import { directoryStore } from '../../files/directory-store.ts'
import { Entries } from '../../files/entries.ts'
import { isS3 } from '../../s3/location.ts'
import type { FileKind } from './options.ts'

/**
 * A SELECT over the files of a directory as they are now: those that its ledger names, where a sink of ours writes, and
 * else all that are not hidden.
 *
 * @throws FILES_PATH, FILES_LEDGER, FILES_IO
 */
export async function selectFiles(kind: FileKind, path: string): Promise<string> {
  const source = `${kind}[${path}]`
  const refuse = (reason: string) => new SluiceError('FILES_PATH', { source, path, reason })
  if (isS3(path)) throw refuse('a bucket is read as a stream, for example with the trigger availableNow')
  const root = resolve(path)
  const store = directoryStore(root, (operation, file, cause) => {
    return new SluiceError('FILES_IO', { source, operation, path: file, reason: reasonOf(cause) }, { cause })
  })
  const entries = new Entries(store, (entry) => (reason) => {
    return new SluiceError('FILES_LEDGER', { source, path: entry, reason })
  })
  const format = await entries.format()
  if (format !== undefined && format !== kind) throw refuse(`a sink writes ${format} there`)
  const paths = format === undefined ? (await store.list()).map((file) => file.path) : await named(entries)
  if (paths.length === 0) throw refuse('there is no file yet')
  const list = paths.sort().map((each) => literal(`${root}/${each}`))
  return `SELECT * FROM ${READERS[kind]}([${list.join(', ')}], union_by_name = true, hive_partitioning = true)`
}

const READERS: Readonly<Record<FileKind, string>> = {
  parquet: 'read_parquet',
  json: 'read_json',
  csv: 'read_csv',
}

async function named(entries: Entries): Promise<string[]> {
  const paths: string[] = []
  for (const entry of await entries.from(undefined)) {
    for (const { path } of (await entries.files(entry)) ?? []) paths.push(path)
  }
  return paths
}
