import { join, relative, sep } from 'node:path'
import type { DiskCalls } from '../../durable-file.ts'
import { LEDGER } from '../../files/manifest.ts'

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
