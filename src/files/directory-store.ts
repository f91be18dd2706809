import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { absent, codeOf } from '../durable-file.ts'
import type { SluiceError } from '../errors.ts'
import { type FileStore, isHidden, type StoredFile } from './store.ts'

/**
 * Files below a directory, which need not be there yet.
 *
 * @param failed makes the error for what the disk has against it
 */
export function directoryStore(
  root: string,
  failed: (operation: string, path: string, cause: unknown) => SluiceError,
): FileStore {
  const told =
    (operation: string, path: string) =>
    (cause: unknown): never => {
      throw failed(operation, path === '' ? root : join(root, path), cause)
    }
  const find = async (path: string): Promise<StoredFile | undefined> => {
    const stats = await stat(join(root, path), { bigint: true }).catch(absent).catch(told('read', path))
    if (!stats?.isFile()) return undefined
    const modifiedMs = Number(stats.mtimeMs)
    return { path, bytes: Number(stats.size), version: String(stats.mtimeNs), modifiedMs }
  }
  const walk = async (folder: string): Promise<StoredFile[]> => {
    const listing = readdir(join(root, folder), { withFileTypes: true })
    const entries = (await listing.catch(absent).catch(told('list', folder))) ?? []
    const found: StoredFile[] = []
    for (const { name } of entries) {
      const path = folder === '' ? name : `${folder}/${name}`
      if (isHidden(name)) continue
      // Also through links: what they lead to counts.
      const stats = await stat(join(root, path)).catch(absent).catch(told('read', path))
      if (stats?.isDirectory()) found.push(...(await walk(path)))
      else if (stats) found.push(...[await find(path)].filter((file) => file !== undefined))
    }
    return found
  }
  return {
    list: () => walk(''),
    find,
    text: (path) => readFile(join(root, path), 'utf8').catch(absent).catch(told('read', path)),
    names: async (folder) =>
      (await readdir(join(root, folder)).catch(absent).catch(told('list', folder))) ?? [],
    local: async (path) => {
      const isThere = await stat(join(root, path)).then(
        () => true,
        (error: unknown) => (codeOf(error) === 'ENOENT' ? false : told('read', path)(error)),
      )
      return isThere ? join(root, path) : undefined
    },
    release: async () => undefined,
    close: async () => undefined,
  }
}
