import { SluiceError } from '../../errors.ts'

/** One data file of a committed batch, by its path relative to the directory of the sink. */
export interface ManifestFile {
  readonly path: string
  readonly bytes: number
  /** IEEE, eight lower-case hex digits. */
  readonly crc32: string
}

/** What `_sluice/<batchId>` holds: the batch is in the output when this file is, and consists of these files. */
export interface Manifest {
  readonly queryId: string
  readonly batchId: number
  readonly rows: number
  readonly files: readonly ManifestFile[]
}

/** What `_sluice/query` holds: whose output the directory is, and what must not change from start to start. */
export interface Claim {
  readonly queryId: string
  readonly format: string
  readonly partitionBy: readonly string[]
}

const VERSION = 1

export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify({ version: VERSION, ...manifest })}\n`
}

export function claimText(claim: Claim): string {
  return `${JSON.stringify({ version: VERSION, ...claim })}\n`
}

/** @throws SINK_DAMAGED */
export function parseManifest(sink: string, path: string, text: string): Manifest {
  const body = parse(sink, path, text)
  const { queryId, batchId, rows, files } = body
  const isSound =
    typeof queryId === 'string' &&
    Number.isSafeInteger(batchId) &&
    Number.isSafeInteger(rows) &&
    Array.isArray(files) &&
    files.every(isManifestFile)
  if (!isSound) throw damaged(sink, path, 'lacks queryId, batchId, rows or files')
  return { queryId, batchId: batchId as number, rows: rows as number, files }
}

/** @throws SINK_DAMAGED */
export function parseClaim(sink: string, path: string, text: string): Claim {
  const { queryId, format, partitionBy } = parse(sink, path, text)
  const isSound = typeof queryId === 'string' && typeof format === 'string' && Array.isArray(partitionBy)
  if (!isSound) throw damaged(sink, path, 'lacks queryId, format or partitionBy')
  return { queryId, format, partitionBy: partitionBy.map(String) }
}

function parse(sink: string, path: string, text: string): Record<string, unknown> {
  const body = parsed(text)
  if (typeof body !== 'object' || body === null) throw damaged(sink, path, 'is not JSON')
  const { version } = body as { version?: unknown }
  if (version !== VERSION) throw damaged(sink, path, `has version ${String(version)} instead of ${VERSION}`)
  return body as Record<string, unknown>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isManifestFile(file: unknown): file is ManifestFile {
  const { path, bytes, crc32 } = (file ?? {}) as Record<string, unknown>
  return typeof path === 'string' && Number.isSafeInteger(bytes) && typeof crc32 === 'string'
}

function damaged(sink: string, path: string, reason: string): SluiceError {
  return new SluiceError('SINK_DAMAGED', { sink, path, reason })
}
