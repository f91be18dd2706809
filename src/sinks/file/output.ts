import { dirname } from 'node:path'
import type { Clock } from '../../clock.ts'
import type { DiskCalls } from '../../durable-file.ts'
import { hit } from '../../failpoints.ts'
import { dataFileName, ownerTag } from './data-file.ts'
import { filesBelow, pathWithin } from './files-below.ts'
import { Ledger } from './ledger.ts'
import { mergeFiles } from './merge-files.ts'
import type { FileLayout } from './options.ts'
import type { Place, StagedFile } from './place.ts'

/**
 * What one query writes, batch by batch.
 *
 * ```
 * day=1/batch-00000012-….0.parquet   data; has this name only when it is whole and durable
 * _sluice/query                      whose output this is
 * _sluice/12                         the manifest: with it, and not before, batch 12 is in the output
 * ```
 *
 * Invariant: what a manifest names is durable before the manifest is.
 */
export class Output {
  readonly #place: Place
  readonly #layout: FileLayout
  readonly #queryId: string
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #calls: DiskCalls
  #isBegun = false
  /** What earlier processes left is gone. */
  #isRecovered = false

  constructor(place: Place, layout: FileLayout, queryId: string, clock: Clock, calls: DiskCalls) {
    this.#place = place
    this.#layout = layout
    this.#queryId = queryId
    this.#clock = clock
    this.#calls = calls
    const claim = { queryId, format: layout.kind, partitionBy: layout.partitionBy }
    this.#ledger = new Ledger(place, layout.root, claim, layout.description)
  }

  /**
   * Refuses a place that cannot be used, and removes what a crash left in one that is the query's own.
   *
   * @throws SINK_PATH, SINK_PATH_TAKEN, SINK_DENIED, SINK_DAMAGED
   */
  async inspect(): Promise<void> {
    try {
      await this.#place.inspect()
      if (await this.#ledger.isClaimed()) await this.#recover()
    } catch (error) {
      throw await this.#place.failure('read', error)
    }
  }

  /** Whether the batch is in the output. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async holds(batchId: number): Promise<boolean> {
    if ((await this.#ledger.manifest(batchId)) !== undefined) return true
    return this.#layout.merge !== undefined && batchId <= ((await this.#ledger.merged())?.through ?? -1)
  }

  /**
   * Puts few files in the place of the many small ones that batches have left.
   *
   * @param write merges files of this machine into one, which is not there yet
   * @throws as `add`
   */
  async merge(
    batchId: number,
    write: (files: readonly string[], target: string) => Promise<void>,
  ): Promise<void> {
    const { merge } = this.#layout
    if (!merge) return
    try {
      const stage = await this.#place.stage(`merge-${batchId}`)
      try {
        const parts = { place: this.#place, ledger: this.#ledger, clock: this.#clock, queryId: this.#queryId }
        await mergeFiles(parts, merge, this.#layout.extension, stage, write)
      } finally {
        await this.#calls.rm(stage, { recursive: true, force: true }).catch(() => undefined)
      }
    } catch (error) {
      throw await this.#place.failure('write', error, batchId)
    }
  }

  /**
   * Has the files of a batch written, and makes them count all at once.
   *
   * @param write puts them into an empty directory
   * @throws SINK_PATH_TAKEN, SINK_REPLACED, SINK_FULL, SINK_DENIED, SINK_IO, SINK_FAILED
   */
  async add(batchId: number, rows: number, write: (stage: string) => Promise<void>): Promise<void> {
    try {
      await this.#begin()
      const stage = await this.#place.stage(String(batchId))
      try {
        if (rows > 0) await write(stage)
        hit('sink.staged')
        await this.#publish(batchId, rows, stage)
      } finally {
        await this.#calls.rm(stage, { recursive: true, force: true }).catch(() => undefined)
      }
    } catch (error) {
      throw await this.#place.failure('write', error, batchId)
    }
  }

  close(): Promise<void> {
    return this.#place.close()
  }

  async #begin(): Promise<void> {
    if (!this.#isBegun) await this.#place.begin()
    this.#isBegun = true
    if (this.#isRecovered) return
    // Nobody's when we looked, but another process of this query may have begun and died since.
    await this.#ledger.claim()
    await this.#recover()
  }

  async #publish(batchId: number, rows: number, stage: string): Promise<void> {
    const files = await this.#place.bring(String(batchId), await this.#named(batchId, stage))
    const outcome = await this.#ledger.record({ queryId: this.#queryId, batchId, rows, files })
    if (outcome === 'exists') {
      // Another process wrote this batch: out of the same logged range, so ours is one time too many.
      const theirs = await this.#ledger.filesOf(String(batchId))
      await this.#place.remove(files.map(({ path }) => path).filter((path) => !theirs?.has(path)))
    }
    await this.#place.settle(this.#ledger)
  }

  /** No attempt overwrites another's files: the names of each have something of their own. */
  async #named(batchId: number, stage: string): Promise<readonly StagedFile[]> {
    const [owner, attempt] = [ownerTag(this.#queryId), this.#clock.uuid()]
    const files: StagedFile[] = []
    for await (const file of filesBelow(this.#calls, stage)) {
      const folder = pathWithin(stage, dirname(file))
      const name = dataFileName('batch', batchId, owner, attempt, files.length, this.#layout.extension)
      files.push({ file, path: folder === '' ? name : `${folder}/${name}` })
    }
    return files
  }

  async #recover(): Promise<void> {
    await this.#place.recover(this.#ledger)
    this.#isRecovered = true
  }
}
