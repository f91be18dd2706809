import type { Position } from '../batch.ts'
import { type Author, readAuthored, sealAuthored } from './author.ts'
import { corrupt } from './corrupt.ts'
import type { Storage } from './storage.ts'

/** `sources/<i>/initial`: where source i began, pinned before its first read. */
export function initialPath(index: number): string {
  return `sources/${index}/initial`
}

export function sealInitial(author: Author, index: number, position: Position): Uint8Array {
  return sealAuthored('initial', author, { source: index, position })
}

/** @throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION */
export async function readInitial(
  storage: Storage,
  index: number,
  queryId: string,
): Promise<Position | undefined> {
  const path = initialPath(index)
  const file = await readAuthored(storage, 'initial', path, queryId)
  if (file === undefined) return undefined
  const source = file.fields.count('source')
  if (source !== index) throw corrupt(storage.location, path, `holds the position of source ${source}`)
  return file.fields.json('position')
}
