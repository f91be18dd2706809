import { type Author, readAuthored, sealAuthored } from './author.ts'
import { corrupt } from './corrupt.ts'
import { parseStatePath, type StateFile } from './state-file.ts'
import type { Storage } from './storage.ts'

/** What a batch leaves behind. */
export interface BatchCommit {
  readonly batchId: number
  readonly epoch: number
  /** Of the batch that comes next. */
  readonly nextWatermarkMs: number | null
  /** Where each watermark of the query stands, of which the above is made; null for one that has seen no row. */
  readonly watermarksMs?: readonly (number | null)[]
  /** What `StateFiles.save` answered for this batch; empty when no state changed. */
  readonly state: readonly StateFile[]
}

/** `commits/<n>`: the batch exists. Names every state file that the state after it is made of, in loading order. */
export interface CommitRecord {
  readonly batchId: number
  readonly epoch: number
  readonly nextWatermarkMs: number | null
  readonly watermarksMs: readonly (number | null)[]
  readonly stateFiles: readonly StateFile[]
}

export const COMMITS = 'commits/'

export function sealCommit(author: Author, record: CommitRecord): Uint8Array {
  return sealAuthored('commit', author, {
    batchId: record.batchId,
    nextWatermarkMs: record.nextWatermarkMs,
    watermarksMs: record.watermarksMs,
    state: record.stateFiles.map(({ path, bytes, crc32 }) => ({ path, bytes, crc32 })),
  })
}

/** @throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION */
export async function readCommit(
  storage: Storage,
  batchId: number,
  queryId: string,
): Promise<CommitRecord | undefined> {
  const path = `${COMMITS}${batchId}`
  const file = await readAuthored(storage, 'commit', path, queryId)
  if (file === undefined) return undefined
  const { fields, epoch } = file
  if (fields.count('batchId') !== batchId) {
    throw corrupt(storage.location, path, `holds batch ${fields.count('batchId')}`)
  }
  const stateFiles = fields.objects('state').map((entry) => {
    const name = parseStatePath(entry.text('path'))
    if (name === undefined) throw entry.wrong('path', 'the name of a state file')
    return Object.freeze({ ...name, bytes: entry.count('bytes'), crc32: entry.text('crc32') })
  })
  return Object.freeze({
    batchId,
    epoch,
    nextWatermarkMs: fields.numberOrNull('nextWatermarkMs'),
    watermarksMs: Object.freeze(fields.numbersOrNulls('watermarksMs')),
    stateFiles: Object.freeze(stateFiles),
  })
}
