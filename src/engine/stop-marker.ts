import type { Storage } from '../checkpoint/storage.ts'
import { reasonOf, SluiceError } from '../errors.ts'
import type { Logger } from '../log.ts'

/**
 * A file or an object that stops a query by being there: for deployments that can reach the disk or the bucket of a
 * query, and not its process. A marker that is there already lets a query end before its first batch, so that
 * whoever starts it again and again does not win against it.
 */
export class StopMarker {
  readonly path: string
  readonly #folder: Storage
  readonly #name: string
  readonly #log: Logger

  /**
   * @param path as given by the user
   * @param open opens the folder that the marker is to appear in
   * @throws OPTION_INVALID, and what `open` throws
   */
  static async open(
    path: string,
    open: (folder: string) => Promise<Storage>,
    log: Logger,
  ): Promise<StopMarker> {
    const cut = path.lastIndexOf('/')
    const [folder, name] = [cut < 0 ? '.' : path.slice(0, cut) || '/', path.slice(cut + 1)]
    if (!/^[A-Za-z0-9_][\w.-]*$/.test(name)) {
      const expected =
        'the path of a file whose name is made of letters, digits, . _ and - and begins with no dot'
      throw new SluiceError('OPTION_INVALID', {
        owner: 'the query',
        option: 'stopMarker',
        value: path,
        expected,
      })
    }
    return new StopMarker(path, await open(folder), name, log)
  }

  private constructor(path: string, folder: Storage, name: string, log: Logger) {
    this.path = path
    this.#folder = folder
    this.#name = name
    this.#log = log
  }

  /** Never rejects: a marker that cannot be looked for is none, which is logged. */
  async isThere(): Promise<boolean> {
    try {
      return (await this.#folder.read(this.#name)) !== undefined
    } catch (error) {
      this.#log.warn(
        { marker: this.path, reason: reasonOf(error) },
        'the stop marker could not be looked for',
      )
      return false
    }
  }

  close(): Promise<void> {
    return this.#folder.close()
  }
}
