import type { FileKind } from '../sources/files/options.ts'
import { selectFiles } from '../sources/files/static-files.ts'
import { DataFrame } from './dataframe.ts'
import { draftOf, type SessionContext } from './session-context.ts'

/**
 * Reads the files of a directory once, as they are now: the output of a sink by its ledger, so that only what is
 * committed is seen and each row once, and else every file that is not hidden.
 *
 * Each method fails with FILES_PATH, FILES_LEDGER and FILES_IO.
 */
export class DataReader {
  readonly #context: SessionContext

  constructor(context: SessionContext) {
    this.#context = context
    Object.freeze(this)
  }

  parquet(path: string): Promise<DataFrame> {
    return this.#read('parquet', path)
  }

  json(path: string): Promise<DataFrame> {
    return this.#read('json', path)
  }

  csv(path: string): Promise<DataFrame> {
    return this.#read('csv', path)
  }

  async #read(kind: FileKind, path: string): Promise<DataFrame> {
    return new DataFrame(this.#context, draftOf(await selectFiles(kind, path), new Map()))
  }
}
