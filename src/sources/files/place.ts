import { createHash } from 'node:crypto'
import type { Json, Position } from '../../batch.ts'

/** A file as a position names it, so that it is known again. */
export interface FileRef {
  readonly path: string
  readonly bytes: number
  /** Empty where nobody changes a file: in the output of a sink of ours. */
  readonly version: string
}

/**
 * How far a stream of files has been read. A position is this, and the files that were read last:
 *
 * ```
 * { "version": 1, "at": { … }, "files": [["day=1/a.parquet", 8120, "1764108721000000000"]] }
 * ```
 */
export type Place =
  /** Nothing was read, and whether there is a ledger is not known yet. */
  | { readonly kind: 'new' }
  /** By the ledger of a sink: so many files of this entry, and all of those before it. */
  | { readonly kind: 'ledger'; readonly entry: string; readonly taken: number }
  /** Of plain files, those that were read and are still there: see `SeenFiles`. */
  | { readonly kind: 'plain'; readonly seen: string }

export interface Progress {
  readonly at: Place
  /** Of the batch that ends here, in order. */
  readonly files: readonly FileRef[]
}

export const NOTHING_READ: Progress = { at: { kind: 'new' }, files: [] }

export function positionOf({ at, files }: Progress): Position {
  return { version: 1, at: { ...at }, files: files.map(({ path, bytes, version }) => [path, bytes, version]) }
}

/** @param refuse makes the error for what is no position of files */
export function parsePosition(position: Position, refuse: (reason: string) => Error): Progress {
  const { version, at, files } = (position ?? {}) as { readonly [key: string]: Json }
  if (version !== 1) throw refuse('it is no position of files')
  const place = at as unknown as Place | undefined
  const isPlace =
    place?.kind === 'new' ||
    (place?.kind === 'plain' && typeof place.seen === 'string') ||
    (place?.kind === 'ledger' && typeof place.entry === 'string' && Number.isSafeInteger(place.taken))
  if (!isPlace || !Array.isArray(files) || !files.every(isFileRow)) throw refuse('it is damaged')
  const refs = (files as readonly (readonly [string, number, string])[]).map(([path, bytes, version]) => {
    return { path, bytes, version }
  })
  return { at: place, files: refs }
}

function isFileRow(row: unknown): boolean {
  if (!Array.isArray(row)) return false
  const [path, bytes, version] = row as unknown[]
  return typeof path === 'string' && typeof bytes === 'number' && typeof version === 'string'
}

const PATH_BYTES = 8
const VERSION_BYTES = 4

/**
 * Files that were read, as one text of sixteen characters each: a hash of the path, and one of size and version. A
 * path that is taken for another's has one chance in millions of millions, even among millions of files.
 */
export class SeenFiles {
  readonly #versions: Map<string, string>

  private constructor(versions: Map<string, string>) {
    this.#versions = versions
  }

  static parse(text: string): SeenFiles {
    const bytes = Buffer.from(text, 'base64')
    const versions = new Map<string, string>()
    for (let at = 0; at + PATH_BYTES + VERSION_BYTES <= bytes.length; at += PATH_BYTES + VERSION_BYTES) {
      const end = at + PATH_BYTES
      versions.set(bytes.toString('latin1', at, end), bytes.toString('latin1', end, end + VERSION_BYTES))
    }
    return new SeenFiles(versions)
  }

  look(file: FileRef): 'new' | 'seen' | 'changed' {
    const version = this.#versions.get(pathHash(file))
    if (version === undefined) return 'new'
    return version === versionHash(file) ? 'seen' : 'changed'
  }

  /** With these files as well, and without those that are not among `present` any more. */
  with(files: readonly FileRef[], present: readonly FileRef[]): string {
    const kept = present.map(pathHash).flatMap((hash) => {
      const version = this.#versions.get(hash)
      return version === undefined ? [] : [[hash, version] as const]
    })
    const added = files.map((file) => [pathHash(file), versionHash(file)] as const)
    const all = [...new Map([...kept, ...added])].sort(([a], [b]) => (a < b ? -1 : 1))
    return Buffer.from(all.map((parts) => parts.join('')).join(''), 'latin1').toString('base64')
  }
}

function pathHash({ path }: FileRef): string {
  return hashOf(path, PATH_BYTES)
}

function versionHash({ bytes, version }: FileRef): string {
  return hashOf(`${bytes} ${version}`, VERSION_BYTES)
}

function hashOf(text: string, bytes: number): string {
  return createHash('sha256').update(text).digest().toString('latin1', 0, bytes)
}
