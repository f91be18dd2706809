import {
  CLAIM,
  type Damaged,
  LEDGER,
  type ManifestFile,
  mergedThrough,
  parseClaim,
  parseManifest,
  parseMerged,
} from './manifest.ts'
import type { FileStore } from './store.ts'

/** The name of the entry of the next batch, if it had something to write. */
export function entryAfter(entry: string): string {
  return String((mergedThrough(entry) ?? Number(entry)) + 1)
}

/** What readers need of the ledger of an output: which files are in it, batch by batch. */
export class Entries {
  readonly #store: FileStore
  readonly #damaged: (path: string) => Damaged

  /** @param damaged makes the error for an entry that is not what it should be */
  constructor(store: FileStore, damaged: (path: string) => Damaged) {
    this.#store = store
    this.#damaged = damaged
  }

  /** What the files are; undefined when there is no ledger. */
  async format(): Promise<string | undefined> {
    const path = `${LEDGER}/${CLAIM}`
    const text = await this.#store.text(path)
    return text === undefined ? undefined : parseClaim(text, this.#damaged(path)).format
  }

  /**
   * Names of the entries from one on, in order: each row is in one of them. From the beginning, for undefined, they
   * begin with the last merge, if there was one.
   */
  async from(entry: string | undefined): Promise<readonly string[]> {
    const names = await this.all()
    const merges = names.filter((name) => mergedThrough(name) !== undefined)
    const start = entry ?? merges.at(-1)
    if (start === undefined) return names
    const batches = names.filter((name) => mergedThrough(name) === undefined)
    const through = mergedThrough(start)
    if (through === undefined) return batches.filter((name) => Number(name) >= Number(start))
    const later = batches.filter((name) => Number(name) > through)
    return names.includes(start) ? [start, ...later] : later
  }

  /** Names of all entries that name files, of merges and of batches, each in order. */
  async all(): Promise<readonly string[]> {
    const names = await this.#store.names(LEDGER)
    const numberOf = (name: string) => mergedThrough(name) ?? Number(name)
    const isEntry = (name: string) => /^(?:merged-)?\d+$/.test(name)
    return names.filter(isEntry).sort((a, b) => numberOf(a) - numberOf(b))
  }

  /** The files of an entry; undefined when there is none. */
  async files(entry: string): Promise<readonly ManifestFile[] | undefined> {
    const path = `${LEDGER}/${entry}`
    const text = await this.#store.text(path)
    if (text === undefined) return undefined
    const parse = mergedThrough(entry) === undefined ? parseManifest : parseMerged
    return parse(text, this.#damaged(path)).files
  }
}
