import { createHash } from 'node:crypto'
import type { RecordBatch } from 'apache-arrow'
import type { Batch, Json, Position, Range, Schema } from '../../batch.ts'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import { Entries, entryAfter } from '../../files/entries.ts'
import type { FileStore } from '../../files/store.ts'
import { recordDigest } from '../record-digest.ts'
import type { Read, Source } from '../source.ts'
import type { FileRows } from './file-rows.ts'
import { Lookout } from './lookout.ts'
import type { FilesOptions } from './options.ts'
import { type Available, availableFiles, ledgerPending, type Pending, plainPending } from './pending.ts'
import { type FileRef, NOTHING_READ, type Place, type Progress, parsePosition, positionOf } from './place.ts'

/**
 * Files that come into a directory or a bucket, each read once and as a whole.
 *
 * Where a sink of ours writes, its ledger says which files there are, and the others are passed by. Elsewhere every
 * file counts from when it is seen: whoever writes them has to put them there whole, by renaming. A file is never
 * expected to change; one that did, or is gone when a batch has to be read again, is data lost.
 */
export class FilesSource implements Source {
  readonly description: string
  readonly schema: Schema
  readonly #options: FilesOptions
  readonly #openStore: () => Promise<FileStore>
  readonly #rows: FileRows
  #store: Promise<FileStore> | undefined
  #at: Place = NOTHING_READ.at
  #available: Available | undefined
  /** Files that were found to have no rows; reading them again would tell nothing new. */
  readonly #empty = new Set<string>()
  readonly #counts = { files: 0, bytes: 0 }
  readonly #lookout: Lookout
  readonly #closing = new AbortController()
  /** Calls under way, which `close` waits for. */
  #running: Promise<unknown> = Promise.resolve()

  constructor(
    options: FilesOptions,
    schema: Schema,
    rows: FileRows,
    openStore: () => Promise<FileStore>,
    clock: Clock,
  ) {
    this.description = options.description
    this.schema = schema
    this.#options = options
    this.#rows = rows
    this.#openStore = openStore
    this.#lookout = new Lookout(clock, options.pollIntervalMs, options.s3 !== undefined)
  }

  async initial(): Promise<Position> {
    return positionOf(NOTHING_READ)
  }

  async resume(position: Position): Promise<void> {
    this.#at = this.#parse(position).at
  }

  read(from: Position, signal: AbortSignal): Promise<Read> {
    const ending = AbortSignal.any([signal, this.#closing.signal])
    return this.#busy(async () => {
      await this.#lookout.due(ending)
      return await this.#read(from, ending)
    })
  }

  reread(range: Range): Promise<Batch> {
    return this.#busy(async () => {
      const { files } = this.#parse(range.end)
      const records: (RecordBatch | undefined)[] = []
      for (const file of files) records.push(await this.#rowsOf(file))
      return batchOf(range, records)
    })
  }

  pinEnd(): Promise<void> {
    return this.#busy(async () => {
      const store = await this.#opened()
      const place = await this.#settled(this.#at)
      if (place === undefined) this.#available = new Set()
      else if (place === 'plain') this.#available = await availableFiles(store)
      else this.#available = new Set(await this.#entries(store).all())
    })
  }

  metrics(): Readonly<Record<string, Json>> {
    return { filesRead: this.#counts.files, bytesRead: this.#counts.bytes }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running.catch(() => undefined)
    const store = this.#store
    this.#store = undefined
    this.#rows.close()
    await store?.then((open) => open.close()).catch(() => undefined)
  }

  async #read(from: Position, signal: AbortSignal): Promise<Read> {
    const { maxFiles, maxBytes } = this.#options
    const { at } = this.#parse(from)
    this.#at = at
    if (signal.aborted) return { drained: false }
    if (await this.#isUnchanged(at)) {
      this.#lookout.glanced()
      return { drained: false }
    }
    const taken: FileRef[] = []
    const records: (RecordBatch | undefined)[] = []
    let bytes = 0
    let last: Pending | undefined
    let drained = true
    for await (const pending of await this.#pending(at)) {
      const isFull = taken.length >= maxFiles || (taken.length > 0 && bytes + pending.file.bytes > maxBytes)
      // Without a row there is no batch, and files without any would be in the way for ever.
      if (signal.aborted || (isFull && records.some((each) => each !== undefined))) {
        drained = false
        break
      }
      records.push(await this.#rowsOf(pending.file))
      taken.push(pending.file)
      bytes += pending.file.bytes
      last = pending
    }
    const hasFound = records.some((each) => each !== undefined)
    this.#lookout.listed(hasFound)
    if (last === undefined || !hasFound) return { drained: drained && !signal.aborted }
    const end: Progress = { at: last.after(), files: taken }
    this.#at = end.at
    this.#counts.files += taken.length
    this.#counts.bytes += bytes
    return { batch: batchOf({ start: from, end: positionOf(end) }, records), drained }
  }

  /** As far as a glance can tell; a list may still find something. */
  async #isUnchanged(at: Place): Promise<boolean> {
    if (at.kind !== 'ledger' || this.#available !== undefined || !this.#lookout.mayGlance) return false
    return (await this.#entries(await this.#opened()).files(entryAfter(at.entry))) === undefined
  }

  async #pending(at: Place): Promise<AsyncIterable<Pending>> {
    const store = await this.#opened()
    const kind = await this.#settled(at)
    if (kind === undefined) return (async function* () {})()
    if (kind === 'plain') {
      const seen = at.kind === 'plain' ? at.seen : ''
      return plainPending(this.description, store, seen, this.#available)
    }
    const place = at.kind === 'ledger' ? at : undefined
    return ledgerPending(this.description, this.#entries(store), place, this.#available)
  }

  /** By what the files are known; undefined when there is nothing yet. @throws FILES_PATH */
  async #settled(at: Place): Promise<'ledger' | 'plain' | undefined> {
    if (at.kind !== 'new') return at.kind
    const store = await this.#opened()
    const format = await this.#entries(store).format()
    if (format === undefined) return (await store.list()).length > 0 ? 'plain' : undefined
    if (format === this.#options.kind) return 'ledger'
    const reason = `a sink writes ${format} there`
    throw new SluiceError('FILES_PATH', { source: this.description, path: this.#options.path, reason })
  }

  async #rowsOf(file: FileRef): Promise<RecordBatch | undefined> {
    const store = await this.#opened()
    const name = JSON.stringify(file)
    const found = await store.find(file.path)
    const lost = (reason: string) =>
      new SluiceError('DATA_LOST', { source: this.description, what: `the rows of ${file.path}`, reason })
    if (!found) throw lost('the file is gone')
    const isSame = found.bytes === file.bytes && (file.version === '' || found.version === file.version)
    if (!isSame) throw lost('the file has changed since it was seen')
    if (this.#empty.has(name)) return undefined
    const local = await store.local(file.path)
    if (local === undefined) throw lost('the file is gone')
    try {
      const rows = await this.#rows.read(file.path, local)
      if (rows === undefined) this.#empty.add(name)
      return rows
    } finally {
      await store.release(local)
    }
  }

  #entries(store: FileStore): Entries {
    return new Entries(store, (path) => (reason) => {
      return new SluiceError('FILES_LEDGER', { source: this.description, path, reason })
    })
  }

  #opened(): Promise<FileStore> {
    this.#store ??= this.#openStore()
    return this.#store
  }

  #busy<T>(work: () => Promise<T>): Promise<T> {
    const running = work()
    this.#running = running
    return running
  }

  #parse(position: Position): Progress {
    return parsePosition(
      position,
      (reason) => new SluiceError('FILES_POSITION', { source: this.description, reason }),
    )
  }
}

function batchOf(range: Range, all: readonly (RecordBatch | undefined)[]): Batch {
  const records = all.filter((each) => each !== undefined)
  const digest = createHash('sha256')
  for (const each of records) digest.update(recordDigest(each))
  const rows = records.reduce((sum, { numRows }) => sum + numRows, 0)
  return { range, rows, records, digest: digest.digest('hex') }
}
