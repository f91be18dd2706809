import type { SluiceError } from '../errors.ts'

/** The folder of the ledger in an output; readers of data pass by what begins with an underscore. */
export const LEDGER = '_sluice'
/** The entry that says whose the output is. */
export const CLAIM = 'query'

/** One data file, by its path relative to the output. */
export interface ManifestFile {
  readonly path: string
  readonly bytes: number
  /** IEEE, eight lower-case hex digits. */
  readonly crc32: string
}

/** What `_sluice/<batchId>` holds: the batch is in the output when this entry is, and consists of these files. */
export interface Manifest {
  readonly queryId: string
  readonly batchId: number
  readonly rows: number
  readonly files: readonly ManifestFile[]
}

/** What `_sluice/query` holds: whose output it is, and what must not change from start to start. */
export interface Claim {
  readonly queryId: string
  readonly format: string
  readonly partitionBy: readonly string[]
}

/**
 * What `_sluice/merged-<batchId>` holds: the files of all batches up to that one, some of them merged. The entry with
 * the highest number counts, and the batches after it.
 */
export interface Merged {
  readonly queryId: string
  /** The last batch of which the files are among these. */
  readonly through: number
  readonly files: readonly ManifestFile[]
  /** Files and entries that do not count any more, and when (epoch ms) they ceased to: readers may have begun before. */
  readonly replaced: readonly Replaced[]
}

export interface Replaced {
  readonly path: string
  readonly atMs: number
}

/** Makes the error for an entry that is not what it should be; `reason` continues its name. */
export type Damaged = (reason: string) => SluiceError

const VERSION = 1

export function manifestText(manifest: Manifest): string {
  return entryText(manifest)
}

export function claimText(claim: Claim): string {
  return entryText(claim)
}

export function entryText(body: object): string {
  return `${JSON.stringify({ version: VERSION, ...body })}\n`
}

export function parseManifest(text: string, damaged: Damaged): Manifest {
  const { queryId, batchId, rows, files } = parseEntry(text, damaged)
  const isSound =
    typeof queryId === 'string' &&
    Number.isSafeInteger(batchId) &&
    Number.isSafeInteger(rows) &&
    isFileList(files)
  if (!isSound) throw damaged('lacks queryId, batchId, rows or files')
  return { queryId, batchId: batchId as number, rows: rows as number, files }
}

export function parseMerged(text: string, damaged: Damaged): Merged {
  const { queryId, through, files, replaced } = parseEntry(text, damaged)
  const isSound =
    typeof queryId === 'string' &&
    Number.isSafeInteger(through) &&
    isFileList(files) &&
    Array.isArray(replaced) &&
    replaced.every(isReplaced)
  if (!isSound) throw damaged('lacks queryId, through, files or replaced')
  return { queryId, through: through as number, files, replaced }
}

const MERGED = 'merged-'

export function mergedEntry(through: number): string {
  return `${MERGED}${through}`
}

/** The batch up to which an entry names merged files; undefined for any other entry. */
export function mergedThrough(entry: string): number | undefined {
  return /^merged-\d+$/.test(entry) ? Number(entry.slice(MERGED.length)) : undefined
}

export function parseClaim(text: string, damaged: Damaged): Claim {
  const { queryId, format, partitionBy } = parseEntry(text, damaged)
  const isSound = typeof queryId === 'string' && typeof format === 'string' && Array.isArray(partitionBy)
  if (!isSound) throw damaged('lacks queryId, format or partitionBy')
  return { queryId, format, partitionBy: partitionBy.map(String) }
}

export function parseEntry(text: string, damaged: Damaged): Record<string, unknown> {
  const body = parsed(text)
  if (typeof body !== 'object' || body === null) throw damaged('is not JSON')
  const { version } = body as { version?: unknown }
  if (version !== VERSION) throw damaged(`has version ${String(version)} instead of ${VERSION}`)
  return body as Record<string, unknown>
}

export function isFileList(files: unknown): files is readonly ManifestFile[] {
  return Array.isArray(files) && files.every(isManifestFile)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isReplaced(each: unknown): each is Replaced {
  const { path, atMs } = (each ?? {}) as Record<string, unknown>
  return typeof path === 'string' && typeof atMs === 'number'
}

function isManifestFile(file: unknown): file is ManifestFile {
  const { path, bytes, crc32 } = (file ?? {}) as Record<string, unknown>
  return typeof path === 'string' && Number.isSafeInteger(bytes) && typeof crc32 === 'string'
}
