import { basename, join, relative, sep } from 'node:path'
import { absent, type DiskCalls } from '../../durable-file.ts'
import { ownerTag, parseDataFileName } from './data-file.ts'
import { LEDGER, type Ledger } from './ledger.ts'

/** Begins the name of a directory in which a process prepares files. */
export const WORKSHOP = 'writing-'

/**
 * Removes what earlier processes of the query left half done. Nothing is touched that does not carry its mark.
 *
 * The workshops go first: a process that is still alive somewhere can from then on neither move a file in nor
 * create a manifest, so that what its files are judged by cannot change any more. Only the last batch and later
 * ones can have been interrupted, for every batch before them was followed by another.
 */
export async function recover(
  calls: DiskCalls,
  root: string,
  queryId: string,
  ledger: Ledger,
  ownWorkshop?: string,
): Promise<void> {
  const folder = join(root, LEDGER)
  for (const name of await calls.readdir(folder)) {
    const workshop = join(folder, name)
    if (name.startsWith(WORKSHOP) && workshop !== ownWorkshop) {
      await calls.rm(workshop, { recursive: true, force: true })
    }
  }
  const last = await ledger.lastBatch()
  const manifest = last < 0 ? undefined : await ledger.manifest(last)
  const named = new Set(manifest?.files.map(({ path }) => path))
  const owner = ownerTag(queryId)
  for await (const file of filesBelow(calls, root)) {
    const name = parseDataFileName(basename(file))
    if (name?.owner !== owner || name.batchId < last) continue
    if (!named.has(pathWithin(root, file))) await calls.unlink(file).catch(absent)
  }
}

/** Regular files, folder by folder; the ledger is left out. */
export async function* filesBelow(calls: DiskCalls, directory: string): AsyncGenerator<string> {
  for (const entry of await calls.readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isFile()) yield path
    else if (entry.isDirectory() && entry.name !== LEDGER) yield* filesBelow(calls, path)
  }
}

/** As manifests spell a path, on every system. */
export function pathWithin(root: string, file: string): string {
  return relative(root, file).split(sep).join('/')
}
