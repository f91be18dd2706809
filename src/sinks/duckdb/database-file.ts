import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import type { Connection } from '../../duckdb.ts'
import { type DiskCalls, diskCalls } from '../../durable-file.ts'
import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { diskError } from '../file/disk-error.ts'
import { Attachment } from './attachment.ts'
import { isHeldElsewhere } from './held-elsewhere.ts'
import { MetadataJournal } from './metadata-journal.ts'
import { FILE, type TableTarget } from './options.ts'
import { sqlReason } from './sql-reason.ts'

/** Between two looks at a lock that somebody else holds. */
const LOCK_POLL_MS = 100

/**
 * Files that this process works on. DuckDB's lock on a file is one of the process: two databases of one process
 * would both get it, and damage the file.
 */
const inUse = new Set<string>()

/** Who a file is opened for. */
export interface FileContext {
  readonly clock: Clock
  readonly log: Logger
  readonly stop: AbortSignal
  readonly calls?: DiskCalls
}

/**
 * A database file, attached to the database of a session while it is worked on. Only then can no other process
 * open it: DuckDB allows one process to write, or many to read.
 */
export class DatabaseFile {
  readonly #target: TableTarget
  readonly #context: FileContext
  readonly #calls: DiskCalls
  /** Under which the file is attached. */
  readonly #alias: string
  #path: string | undefined
  #attachment: Attachment | undefined

  constructor(target: TableTarget, context: FileContext) {
    this.#target = target
    this.#context = context
    this.#calls = context.calls ?? diskCalls
    this.#alias = `sluice_sink_${context.clock.uuid()}`
  }

  /** @throws SINK_PATH when the file can never be used */
  async inspect(): Promise<void> {
    const folder = await stat(dirname(this.#target.path)).catch(() => undefined)
    if (!folder?.isDirectory()) throw this.#unusable('its directory is not there')
    const file = await stat(this.#target.path).catch(() => undefined)
    if (file && !file.isFile()) throw this.#unusable('it is not a file')
  }

  /**
   * Works on the file.
   *
   * @param batch for messages
   * @param work gets the name under which the file is attached
   * @throws SINK_LOCKED, SINK_STOPPED, SINK_PATH, SINK_FULL, SINK_DENIED, SINK_IO
   */
  async use(connection: Connection, batch: number, work: (catalog: string) => Promise<void>): Promise<void> {
    const attached = this.#attachment ? this.#alias : await this.#acquire(connection, batch)
    let isDone = false
    try {
      await this.#onDisk(batch, 'keep the metadata of', () => this.#attachment?.keepMetadata())
      await work(attached)
      isDone = true
    } finally {
      const letGo = this.#target.detachBetweenBatches ? this.#release() : Promise.resolve()
      // The failure of the work says more than that of the clean-up.
      await (isDone ? letGo : letGo.catch(() => undefined))
    }
  }

  async close(): Promise<void> {
    await this.#release()
  }

  /** Waits until nobody else has the file, and attaches it; a name by which the session knows it already will do. */
  async #acquire(connection: Connection, batch: number): Promise<string> {
    const { description: sink } = this.#target
    const { clock, stop } = this.#context
    const path = await this.#realPath()
    const deadline = clock.monotonic() + this.#target.lockTimeoutMs
    for (;;) {
      const known = await this.#attachedAs(connection, path)
      if (known !== undefined) return known
      const reason = inUse.has(path)
        ? 'another sink of this process'
        : await this.#attach(connection, path, batch)
      if (reason === undefined) return this.#alias
      if (clock.monotonic() >= deadline) {
        throw new SluiceError('SINK_LOCKED', { sink, path: this.#target.path, reason })
      }
      await clock.sleep(LOCK_POLL_MS * (0.5 + clock.random()), stop)
      if (stop.aborted) throw new SluiceError('SINK_STOPPED', { sink, batch, reason })
    }
  }

  /** @returns why it cannot be attached now */
  async #attach(connection: Connection, path: string, batch: number): Promise<string | undefined> {
    const calls = this.#calls
    const journal = new MetadataJournal(calls, path)
    const onRestored = (blocks: number) =>
      this.#context.log.warn(
        { path, blocks },
        'a process died while DuckDB wrote the metadata of a sink: restored from its journal',
      )
    inUse.add(path)
    try {
      this.#attachment = await this.#onDisk(batch, 'open', () =>
        Attachment.open({ connection, path, alias: this.#alias, journal, calls, onRestored }),
      )
      return undefined
    } catch (error) {
      inUse.delete(path)
      if (isHeldElsewhere(error)) return sqlReason(error)
      throw isOfSql(error) ? this.#unusable(sqlReason(error), error) : error
    }
  }

  /** What the user of the session attached stays attached, and can be queried there while batches come in. */
  async #attachedAs(connection: Connection, path: string): Promise<string | undefined> {
    // The attachment of another sink ends with that sink's batch.
    if (inUse.has(path)) return undefined
    for (const row of await connection.rows('SELECT database_name AS name, path FROM duckdb_databases()')) {
      if (typeof row['path'] !== 'string') continue
      const other = await realpath(row['path']).catch(() => row['path'])
      if (other === path) return String(row['name'])
    }
    return undefined
  }

  async #release(): Promise<void> {
    const attachment = this.#attachment
    if (!attachment) return
    this.#attachment = undefined
    try {
      await attachment.close()
    } finally {
      inUse.delete(this.#path ?? '')
    }
  }

  async #realPath(): Promise<string> {
    const { path } = this.#target
    this.#path ??= await realpath(path).catch(async () => join(await realpath(dirname(path)), basename(path)))
    return this.#path
  }

  /** Failures of the disk by their codes; those of DuckDB are left to the caller. */
  async #onDisk<T>(
    batch: number,
    operation: string,
    work: () => Promise<T> | undefined,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof SluiceError) throw error
      throw diskError(this.#target.description, operation, this.#target.path, error, batch)
    }
  }

  #unusable(reason: string, cause?: unknown): SluiceError {
    const { path, description: sink } = this.#target
    return new SluiceError('SINK_PATH', { path, sink, reason, expected: FILE }, { cause })
  }
}

function isOfSql(error: unknown): boolean {
  return error instanceof SluiceError && error.code.startsWith('SQL_')
}
