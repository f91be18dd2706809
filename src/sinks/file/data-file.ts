import { createHash } from 'node:crypto'

/** What the name of a data file says about where it comes from. */
export interface DataFileName {
  readonly batchId: number
  /** It holds rows of this batch, or merged ones of batches up to it. */
  readonly isMerged: boolean
  /** Of the query, see `ownerTag`. */
  readonly owner: string
}

const NAME = /^(batch|merged)-(\d{8,16})-([0-9a-f]{12})-[0-9a-f-]+\.\d+\./

/** A short name for a query, fit for file names: nobody deletes a file that does not carry it. */
export function ownerTag(queryId: string): string {
  return createHash('sha256').update(queryId).digest('hex').slice(0, 12)
}

/**
 * `batch-00000012-3fa1…-8c21….0.parquet`
 *
 * @param attempt differs in every attempt to write the batch, so that no attempt overwrites another's files
 */
export function dataFileName(
  kind: 'batch' | 'merged',
  batchId: number,
  owner: string,
  attempt: string,
  index: number,
  extension: string,
): string {
  return `${kind}-${String(batchId).padStart(8, '0')}-${owner}-${attempt}.${index}${extension}`
}

/** Undefined for a file that no file sink wrote. */
export function parseDataFileName(name: string): DataFileName | undefined {
  const [, kind, batchId, owner] = NAME.exec(name) ?? []
  if (batchId === undefined || owner === undefined) return undefined
  return { batchId: Number(batchId), isMerged: kind === 'merged', owner }
}
