import type { Json } from '../batch.ts'
import { corrupt } from './corrupt.ts'
import { Fields } from './fields.ts'
import { type SealedKind, seal, unseal } from './sealed.ts'
import type { Storage } from './storage.ts'

/** Who wrote a file: every file after `metadata` says so, and a successor's files can be told from ours. */
export interface Author {
  readonly queryId: string
  readonly epoch: number
  /** Of one writer, never used by another. */
  readonly writer: string
}

export interface Authored extends Author {
  readonly fields: Fields
}

const VERSION = 1

export function sealAuthored(
  kind: SealedKind,
  author: Author,
  body: { readonly [key: string]: Json },
): Uint8Array {
  const { queryId, epoch, writer } = author
  return seal(kind, VERSION, { queryId, epoch, writer, ...body })
}

/**
 * A file of this query, or undefined when there is none.
 *
 * @throws CHECKPOINT_CORRUPT also for a good file that strayed here from another query's checkpoint
 */
export async function readAuthored(
  storage: Storage,
  kind: SealedKind,
  path: string,
  queryId: string,
): Promise<Authored | undefined> {
  const bytes = await storage.read(path)
  if (bytes === undefined) return undefined
  const fields = new Fields(storage.location, path, unseal(kind, [VERSION], storage.location, path, bytes))
  const owner = fields.text('queryId')
  if (owner !== queryId) {
    throw corrupt(storage.location, path, `belongs to the query ${owner}, but 'metadata' says ${queryId}`)
  }
  return { queryId, epoch: fields.count('epoch'), writer: fields.text('writer'), fields }
}
