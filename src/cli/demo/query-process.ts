import { once } from 'node:events'
import { type FSWatcher, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import { Child, type Ending } from './child.ts'
import { readTotals, type Totals } from './totals.ts'

/** The query of the demo as seen from outside: a process that can be started, killed and stopped, and its totals. */
export class QueryProcess {
  readonly #args: readonly string[]
  readonly #checkpoint: string
  readonly #totalsFile: string
  #child: Child | undefined
  #mayEnd = false

  /** @param folder for the checkpoint and the totals */
  constructor(endpointUrl: string, streamName: string, folder: string) {
    this.#totalsFile = join(folder, 'totals.json')
    this.#checkpoint = join(folder, 'checkpoint')
    this.#args = [endpointUrl, streamName, this.#checkpoint, this.#totalsFile]
  }

  /** @returns the number of the new process */
  start(): number {
    this.#mayEnd = false
    this.#child = new Child('./word-count', this.#args)
    return this.#child.pid
  }

  /** After the last batch that reached the file; undefined before the first. */
  totals(): Promise<Totals | undefined> {
    return readTotals(this.#totalsFile)
  }

  /** @throws DEMO_QUERY_ENDED when the process has ended without being told to */
  assertRunning(): void {
    const ending = this.#child?.ending
    if (ending !== undefined && !this.#mayEnd) throw this.#ended(ending)
  }

  /** Resolves when the process logs a batch: from then on it works on it. Gives up after `withinMs`. */
  async nextBatch(clock: Clock, withinMs: number): Promise<void> {
    const done = new AbortController()
    let offsets: FSWatcher | undefined
    try {
      offsets = watch(join(this.#checkpoint, 'offsets'))
      await Promise.race([once(offsets, 'change', done), clock.sleep(withinMs, done.signal)])
    } catch {
      // No batch yet, or a file system that cannot be watched: then any moment is as good.
    } finally {
      done.abort()
      offsets?.close()
    }
  }

  /** The batch that is logged but not committed, if there is one. */
  async openBatch(): Promise<number | undefined> {
    const [logged, committed] = await Promise.all(
      ['offsets', 'commits'].map((folder) => this.#lastOf(folder)),
    )
    return logged === committed ? undefined : logged
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#mayEnd = true
    this.#child?.kill('SIGKILL')
    await this.#child?.ended
  }

  /**
   * Asks the process to finish its batch and to end.
   *
   * @throws DEMO_QUERY_ENDED when its exit code is not 0
   */
  async stop(): Promise<void> {
    this.#mayEnd = true
    this.#child?.kill('SIGTERM')
    const ending = await this.#child?.ended
    if (ending !== undefined && ending !== 'exit code 0') throw this.#ended(ending)
  }

  async #lastOf(folder: string): Promise<number | undefined> {
    const names = await readdir(join(this.#checkpoint, folder)).catch(() => [])
    const numbers = names.map(Number).filter(Number.isSafeInteger)
    return numbers.length === 0 ? undefined : Math.max(...numbers)
  }

  #ended(status: Ending): SluiceError {
    const reason = this.#child?.output.trim() || 'it wrote nothing'
    return new SluiceError('DEMO_QUERY_ENDED', { status, reason })
  }
}
