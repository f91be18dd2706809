import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import {
  absent,
  codeOf,
  type DiskCalls,
  makeDirectory,
  sealFile,
  syncDirectory,
  writeDurably,
} from '../../durable-file.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import { LEDGER, type ManifestFile } from '../../files/manifest.ts'
import { ownerTag, parseDataFileName } from './data-file.ts'
import { DIRECTORY, diskError } from './disk-error.ts'
import { filesBelow, pathWithin } from './files-below.ts'
import type { Place, StagedFile, Verdicts } from './place.ts'

/** Begins the name of a directory in which a process prepares files. */
const WORKSHOP = 'writing-'

/** What the file sinks need of the world; replaced by tests alone. */
export interface FileParts {
  readonly clock: Clock
  readonly calls: DiskCalls
}

/**
 * An output in a directory. Entries are created by link(2), which the kernel refuses for a name that is taken.
 *
 * Files and entries are prepared in `_sluice/writing-…/`, the workshop of the running process. Who takes the workshop
 * away has stopped its process: it can neither move a file in nor create an entry any more.
 */
export class DirectoryPlace implements Place {
  readonly #root: string
  readonly #folder: string
  readonly #sink: string
  readonly #queryId: string
  readonly #clock: Clock
  readonly #calls: DiskCalls
  #workshop: string | undefined

  /** @param sink its description, for messages */
  constructor(root: string, sink: string, queryId: string, { clock, calls }: FileParts) {
    this.#root = root
    this.#folder = join(root, LEDGER)
    this.#sink = sink
    this.#queryId = queryId
    this.#clock = clock
    this.#calls = calls
  }

  async inspect(): Promise<void> {
    const stats = await this.#calls.stat(this.#root).catch(absent)
    if (!stats || stats.isDirectory()) return
    const params = { path: this.#root, sink: this.#sink, expected: DIRECTORY }
    throw new SluiceError('SINK_PATH', { ...params, reason: 'it is a file' })
  }

  async read(entry: string): Promise<string | undefined> {
    const file = join(this.#folder, entry)
    try {
      return await this.#calls.readFile(file, 'utf8').catch(absent)
    } catch (error) {
      throw diskError(this.#sink, 'read', file, error)
    }
  }

  async entries(): Promise<readonly string[]> {
    return (await this.#calls.readdir(this.#folder).catch(absent)) ?? []
  }

  async create(entry: string, text: string): Promise<'created' | 'exists'> {
    const draft = this.#inWorkshop(`draft-${entry}`)
    await writeDurably(this.#calls, draft, Buffer.from(text))
    const target = join(this.#folder, entry)
    try {
      await this.#calls.link(draft, target)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'exists'
      throw codeOf(error) === 'ENOENT' ? error : diskError(this.#sink, 'link', target, error)
    } finally {
      await this.#calls.unlink(draft).catch(absent)
    }
    await syncDirectory(this.#calls, this.#folder)
    return 'created'
  }

  async begin(): Promise<void> {
    const workshop = join(this.#folder, `${WORKSHOP}${this.#clock.uuid()}`)
    await makeDirectory(this.#calls, this.#folder)
    await this.#calls.mkdir(workshop)
    this.#workshop = workshop
  }

  async stage(name: string): Promise<string> {
    const stage = this.#inWorkshop(name)
    await this.#calls.rm(stage, { recursive: true, force: true })
    // Not recursive: a workshop that a newer process took away must not come back.
    await this.#calls.mkdir(stage)
    return stage
  }

  async bring(_entry: string, files: readonly StagedFile[]): Promise<readonly ManifestFile[]> {
    const brought: ManifestFile[] = []
    const folders = new Set<string>()
    for (const { file, path } of files) {
      const target = join(this.#root, path)
      const sealed = await sealFile(this.#calls, file)
      if (!folders.has(dirname(target))) await makeDirectory(this.#calls, dirname(target))
      folders.add(dirname(target))
      await this.#calls.rename(file, target)
      hit('sink.moved')
      brought.push({ path, ...sealed })
    }
    for (const folder of folders) await syncDirectory(this.#calls, folder)
    return brought
  }

  /** Nothing to do: `recover` has left no other process that could have brought files. */
  async settle(): Promise<void> {}

  withLocal(paths: readonly string[], work: (files: readonly string[]) => Promise<void>): Promise<void> {
    return work(paths.map((path) => join(this.#root, path)))
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await this.#calls.unlink(join(this.#root, path)).catch(absent)
      hit('sink.removed')
    }
  }

  /**
   * The workshops go first, so that what files are judged by cannot change any more. Only the last batch and later
   * ones can have been interrupted, for every batch before them was followed by another.
   */
  async recover(verdicts: Verdicts): Promise<void> {
    for (const name of await this.#calls.readdir(this.#folder)) {
      const workshop = join(this.#folder, name)
      if (name.startsWith(WORKSHOP) && workshop !== this.#workshop) {
        await this.#calls.rm(workshop, { recursive: true, force: true })
      }
    }
    const last = await verdicts.lastBatch()
    const named = last < 0 ? undefined : await verdicts.filesOf(String(last))
    const merged = await verdicts.mergedFiles()
    const owner = ownerTag(this.#queryId)
    for await (const file of filesBelow(this.#calls, this.#root)) {
      const name = parseDataFileName(basename(file))
      if (name?.owner !== owner || (!name.isMerged && name.batchId < last)) continue
      const counts = name.isMerged ? merged : named
      if (!counts?.has(pathWithin(this.#root, file))) await this.#calls.unlink(file).catch(absent)
    }
  }

  async close(): Promise<void> {
    const workshop = this.#workshop
    this.#workshop = undefined
    // What cannot be removed now is removed by the next start.
    if (workshop) await this.#calls.rm(workshop, { recursive: true, force: true }).catch(() => undefined)
  }

  async failure(operation: 'read' | 'write', cause: unknown, batchId?: number): Promise<SluiceError> {
    const told = diskError(this.#sink, operation, this.#root, cause, batchId)
    if (this.#workshop === undefined || batchId === undefined) return told
    const isThere = await this.#calls.stat(this.#workshop).catch(() => undefined)
    if (isThere) return told
    const params = { sink: this.#sink, path: this.#root, batch: batchId }
    return new SluiceError('SINK_REPLACED', params, { cause })
  }

  #inWorkshop(name: string): string {
    // Before `begin` there is none, and the call below fails as for one that is gone.
    return join(this.#workshop ?? join(this.#folder, WORKSHOP), name)
  }
}
