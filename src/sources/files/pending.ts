import { SluiceError } from '../../errors.ts'
import type { Entries } from '../../files/entries.ts'
import type { FileStore, StoredFile } from '../../files/store.ts'
import { type FileRef, type Place, SeenFiles } from './place.ts'

/** A file that is to be read next, and the place once it has been. */
export interface Pending {
  readonly file: FileRef
  after(): Place
}

/** What `availableNow` stands for: files of a directory, or entries of a ledger. */
export type Available = ReadonlySet<string>

/**
 * Files of a directory that were not read yet, in the order of their times.
 *
 * @param available those that may be read; undefined for all
 * @throws DATA_LOST when one that was read has changed
 */
export async function* plainPending(
  source: string,
  store: FileStore,
  seenText: string,
  available: Available | undefined,
): AsyncGenerator<Pending> {
  const seen = SeenFiles.parse(seenText)
  const present = await store.list()
  const next = present.filter((file) => {
    const look = seen.look(file)
    if (look !== 'changed') return look === 'new' && (available?.has(keyOf(file)) ?? true)
    const reason = 'the file has changed since it was read; only new files are expected'
    throw new SluiceError('DATA_LOST', { source, what: `what ${file.path} holds now`, reason })
  })
  next.sort((a, b) => a.modifiedMs - b.modifiedMs || (a.path < b.path ? -1 : 1))
  for (const [index, file] of next.entries()) {
    yield { file, after: () => ({ kind: 'plain', seen: seen.with(next.slice(0, index + 1), present) }) }
  }
}

/** All files of a directory, as they are now. */
export async function availableFiles(store: FileStore): Promise<Available> {
  return new Set((await store.list()).map(keyOf))
}

/**
 * Files of batches that a sink committed, in the order in which it did.
 *
 * @param available entries that may be read; undefined for all
 * @throws DATA_LOST when an entry that was being read is gone
 */
export async function* ledgerPending(
  source: string,
  entries: Entries,
  place: Extract<Place, { kind: 'ledger' }> | undefined,
  available: Available | undefined,
): AsyncGenerator<Pending> {
  const names = await entries.from(place?.entry)
  if (place && names[0] !== place.entry) {
    const reason = 'a merge has replaced it, and keepReplaced of the sink is over'
    throw new SluiceError('DATA_LOST', { source, what: `what follows entry ${place.entry}`, reason })
  }
  for (const entry of names) {
    if (!(available?.has(entry) ?? true)) continue
    const files = (await entries.files(entry)) ?? []
    const taken = entry === place?.entry ? place.taken : 0
    for (const [index, { path, bytes }] of files.entries()) {
      if (index < taken) continue
      const file = { path, bytes, version: '' }
      yield { file, after: () => ({ kind: 'ledger', entry, taken: index + 1 }) }
    }
  }
}

function keyOf({ path, bytes, version }: StoredFile): string {
  return JSON.stringify([path, bytes, version])
}
