import { dirname, join, relative } from 'node:path'
import type { Clock } from '../../clock.ts'
import { absent, type DiskCalls, makeDirectory, sealFile, syncDirectory } from '../../durable-file.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import { dataFileName, ownerTag } from './data-file.ts'
import { DIRECTORY, diskError } from './disk-error.ts'
import { LEDGER, Ledger } from './ledger.ts'
import type { ManifestFile } from './manifest.ts'
import type { FileLayout } from './options.ts'
import { filesBelow, pathWithin, recover, WORKSHOP } from './recover.ts'

/** What the file sinks need of the world; replaced by tests alone. */
export interface FileParts {
  readonly clock: Clock
  readonly calls: DiskCalls
}

/**
 * A directory that one query fills, batch by batch.
 *
 * ```
 * day=1/batch-00000012-….0.parquet   data; has this name only when it is whole and durable
 * _sluice/query                      whose directory this is
 * _sluice/12                         the manifest: with it, and not before, batch 12 is in the output
 * _sluice/writing-…/                 the workshop of the running process
 * ```
 *
 * Invariants: what a manifest names is durable before the manifest is; nothing is created before the first batch,
 * and nothing is removed that does not carry the query's own mark.
 */
export class OutputDirectory {
  readonly #root: string
  readonly #layout: FileLayout
  readonly #queryId: string
  readonly #ledger: Ledger
  readonly #parts: FileParts
  #workshop: string | undefined
  /** What earlier processes left is gone. */
  #isRecovered = false

  constructor(layout: FileLayout, queryId: string, parts: FileParts) {
    this.#root = layout.directory
    this.#layout = layout
    this.#queryId = queryId
    this.#parts = parts
    const claim = { queryId, format: layout.kind, partitionBy: layout.partitionBy }
    this.#ledger = new Ledger(this.#root, claim, layout.description, parts.calls)
  }

  /**
   * Refuses a directory that cannot be used, and removes what a crash left in one that is the query's own.
   *
   * @throws SINK_PATH, SINK_PATH_TAKEN, SINK_DENIED, SINK_DAMAGED
   */
  async inspect(): Promise<void> {
    try {
      const stats = await this.#parts.calls.stat(this.#root).catch(absent)
      if (stats && !stats.isDirectory()) throw this.#notDirectory()
      if (await this.#ledger.isClaimed()) await this.#recover()
    } catch (error) {
      throw diskError(this.#layout.description, 'read', this.#root, error)
    }
  }

  /** Whether the batch is in the output. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async holds(batchId: number): Promise<boolean> {
    return (await this.#ledger.manifest(batchId)) !== undefined
  }

  /**
   * Has the files of a batch written, and makes them count all at once.
   *
   * @param write puts them into an empty directory
   * @throws SINK_PATH_TAKEN, SINK_REPLACED, SINK_FULL, SINK_DENIED, SINK_IO, SINK_FAILED
   */
  async add(batchId: number, rows: number, write: (stage: string) => Promise<void>): Promise<void> {
    const { calls } = this.#parts
    try {
      this.#workshop ??= await this.#open()
      const stage = join(this.#workshop, String(batchId))
      await calls.rm(stage, { recursive: true, force: true })
      // Not recursive: a workshop that a newer process took away must not come back.
      await calls.mkdir(stage)
      try {
        if (rows > 0) await write(stage)
        hit('sink.staged')
        await this.#publish(batchId, rows, stage, this.#workshop)
      } finally {
        await calls.rm(stage, { recursive: true, force: true }).catch(() => undefined)
      }
    } catch (error) {
      throw await this.#failure(batchId, error)
    }
  }

  async close(): Promise<void> {
    const workshop = this.#workshop
    this.#workshop = undefined
    // What cannot be removed now is removed by the next start.
    if (workshop)
      await this.#parts.calls.rm(workshop, { recursive: true, force: true }).catch(() => undefined)
  }

  async #open(): Promise<string> {
    const { calls, clock } = this.#parts
    const workshop = join(this.#root, LEDGER, `${WORKSHOP}${clock.uuid()}`)
    await makeDirectory(calls, dirname(workshop))
    await calls.mkdir(workshop)
    if (this.#isRecovered) return workshop
    // Nobody's when we looked, but another process of this query may have begun and died since.
    await this.#ledger.claim(workshop)
    await this.#recover(workshop)
    return workshop
  }

  async #publish(batchId: number, rows: number, stage: string, workshop: string): Promise<void> {
    const files = await this.#moveIn(batchId, stage)
    const manifest = { queryId: this.#queryId, batchId, rows, files }
    if ((await this.#ledger.record(manifest, workshop)) === 'created') return
    // Another process wrote this batch: out of the same logged range, so ours is one time too many.
    await this.#ledger.manifest(batchId)
    for (const { path } of files) await this.#parts.calls.unlink(join(this.#root, path)).catch(absent)
  }

  async #moveIn(batchId: number, stage: string): Promise<readonly ManifestFile[]> {
    const { calls, clock } = this.#parts
    const [owner, attempt] = [ownerTag(this.#queryId), clock.uuid()]
    const files: ManifestFile[] = []
    const folders = new Set<string>()
    for await (const staged of filesBelow(calls, stage)) {
      const folder = join(this.#root, relative(stage, dirname(staged)))
      const name = dataFileName(batchId, owner, attempt, files.length, this.#layout.extension)
      const sealed = await sealFile(calls, staged)
      if (!folders.has(folder)) await makeDirectory(calls, folder)
      folders.add(folder)
      await calls.rename(staged, join(folder, name))
      hit('sink.moved')
      files.push({ path: pathWithin(this.#root, join(folder, name)), ...sealed })
    }
    for (const folder of folders) await syncDirectory(calls, folder)
    return files
  }

  async #recover(ownWorkshop?: string): Promise<void> {
    await recover(this.#parts.calls, this.#root, this.#queryId, this.#ledger, ownWorkshop)
    this.#isRecovered = true
  }

  async #failure(batchId: number, error: unknown): Promise<SluiceError> {
    const { description } = this.#layout
    const told = diskError(description, 'write', this.#root, error, batchId)
    if (this.#workshop === undefined) return told
    const isThere = await this.#parts.calls.stat(this.#workshop).catch(() => undefined)
    if (isThere) return told
    const params = { sink: description, path: this.#root, batch: batchId }
    return new SluiceError('SINK_REPLACED', params, { cause: error })
  }

  #notDirectory(): SluiceError {
    const params = { path: this.#root, sink: this.#layout.description, expected: DIRECTORY }
    return new SluiceError('SINK_PATH', { ...params, reason: 'it is a file' })
  }
}
