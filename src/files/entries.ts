import { CLAIM, type Damaged, LEDGER, type ManifestFile, parseClaim, parseManifest } from './manifest.ts'
import type { FileStore } from './store.ts'

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

  /** Names of the entries from one on, in order; all of them for undefined. */
  async from(entry: string | undefined): Promise<readonly string[]> {
    const names = await this.#store.names(LEDGER)
    const batches = names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b))
    return batches.filter((name) => entry === undefined || Number(name) >= Number(entry))
  }

  /** The files of an entry; undefined when there is none. */
  async files(entry: string): Promise<readonly ManifestFile[] | undefined> {
    const path = `${LEDGER}/${entry}`
    const text = await this.#store.text(path)
    return text === undefined ? undefined : parseManifest(text, this.#damaged(path)).files
  }
}
