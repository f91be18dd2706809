import type { Json, Range } from '../batch.ts'
import { type Author, readAuthored, sealAuthored } from './author.ts'
import { corrupt } from './corrupt.ts'
import type { Storage } from './storage.ts'

/** What one source brings into a batch. */
export interface SourceRange {
  readonly range: Range
  readonly rows: number
  /** Of the rows, as `Batch.digest`: a replay must come to the same. */
  readonly digest: string
}

/** `offsets/<n>`: from its creation on, batch n means exactly these rows under this watermark and time. */
export interface BatchIntent {
  readonly batchId: number
  /** Of the writer that logged it; a later one may be the one that commits. */
  readonly epoch: number
  /** The batch's time (`current_timestamp`), epoch milliseconds; a replay keeps it. */
  readonly startedAtMs: number
  readonly watermarkMs: number | null
  readonly sources: readonly SourceRange[]
}

export const OFFSETS = 'offsets/'

/** `again/<n>`: what batch n meant before a rewind took it back; when batch n is run again it means the same. */
export const AGAIN = 'again/'

export function sealIntent(author: Author, intent: BatchIntent): Uint8Array {
  return sealAuthored('offsets', author, {
    batchId: intent.batchId,
    startedAtMs: intent.startedAtMs,
    watermarkMs: intent.watermarkMs,
    sources: intent.sources.map(({ range, rows, digest }) => ({
      start: range.start,
      end: range.end,
      rows,
      digest,
    })),
  } satisfies Record<string, Json>)
}

/** @throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION */
export async function readIntent(
  storage: Storage,
  batchId: number,
  queryId: string,
  folder: typeof OFFSETS | typeof AGAIN = OFFSETS,
): Promise<BatchIntent | undefined> {
  const path = `${folder}${batchId}`
  const file = await readAuthored(storage, 'offsets', path, queryId)
  if (file === undefined) return undefined
  const { fields, epoch } = file
  if (fields.count('batchId') !== batchId) {
    throw corrupt(storage.location, path, `holds batch ${fields.count('batchId')}`)
  }
  const startedAtMs = fields.numberOrNull('startedAtMs')
  if (startedAtMs === null) throw fields.wrong('startedAtMs', 'a number')
  return Object.freeze({
    batchId,
    epoch,
    startedAtMs,
    watermarkMs: fields.numberOrNull('watermarkMs'),
    sources: Object.freeze(
      fields.objects('sources').map((source) => ({
        range: { start: source.json('start'), end: source.json('end') },
        rows: source.count('rows'),
        digest: source.text('digest'),
      })),
    ),
  })
}
