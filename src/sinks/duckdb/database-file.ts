import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { type Connection, literal, quoted } from '../../duckdb.ts'
import { reasonOf, SluiceError } from '../../errors.ts'
import { FILE, type TableTarget } from './options.ts'

/** Between two looks at a lock that somebody else holds. */
const LOCK_POLL_MS = 100

/**
 * Files that this process works on. DuckDB's lock on a file is one of the process: two databases of one process
 * would both get it, and damage the file.
 */
const inUse = new Set<string>()

/** What DuckDB says when another process, or another database name of this one, has the file. */
const LOCKED = /could not set lock|conflicting lock|unique file handle conflict/i

/**
 * A database file, attached to the database of a session while it is worked on. Only then can no other process
 * open it: DuckDB allows one process to write, or many to read.
 */
export class DatabaseFile {
  readonly #target: TableTarget
  readonly #clock: Clock
  readonly #stop: AbortSignal
  /** Under which the file is attached. */
  readonly #alias: string
  #path: string | undefined
  #isAttached = false

  constructor(target: TableTarget, clock: Clock, stop: AbortSignal) {
    this.#target = target
    this.#clock = clock
    this.#stop = stop
    this.#alias = `sluice_sink_${clock.uuid()}`
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
   * @throws SINK_LOCKED, SINK_STOPPED, SINK_PATH
   */
  async use(connection: Connection, batch: number, work: (catalog: string) => Promise<void>): Promise<void> {
    const attached = this.#isAttached ? this.#alias : await this.#acquire(connection, batch)
    let isDone = false
    try {
      await work(attached)
      isDone = true
    } finally {
      const letGo = this.#target.detachBetweenBatches ? this.#release(connection) : Promise.resolve()
      // The failure of the work says more than that of the clean-up.
      await (isDone ? letGo : letGo.catch(() => undefined))
    }
  }

  async close(connection: Connection): Promise<void> {
    await this.#release(connection)
  }

  /** Waits until nobody else has the file, and attaches it; a name by which the session knows it already will do. */
  async #acquire(connection: Connection, batch: number): Promise<string> {
    const { description: sink } = this.#target
    const path = await this.#realPath()
    const deadline = this.#clock.monotonic() + this.#target.lockTimeoutMs
    for (;;) {
      const known = await this.#attachedAs(connection, path)
      if (known !== undefined) return known
      const reason = inUse.has(path) ? 'another sink of this process' : await this.#attach(connection, path)
      if (reason === undefined) return this.#alias
      if (this.#clock.monotonic() >= deadline) {
        throw new SluiceError('SINK_LOCKED', { sink, path: this.#target.path, reason })
      }
      await this.#clock.sleep(LOCK_POLL_MS * (0.5 + this.#clock.random()), this.#stop)
      if (this.#stop.aborted) throw new SluiceError('SINK_STOPPED', { sink, batch, reason })
    }
  }

  /** @returns why it cannot be attached now */
  async #attach(connection: Connection, path: string): Promise<string | undefined> {
    inUse.add(path)
    try {
      await connection.run(`ATTACH ${literal(path)} AS ${quoted(this.#alias)} (TYPE duckdb)`)
      this.#isAttached = true
      return undefined
    } catch (error) {
      inUse.delete(path)
      const reason = sqlReason(error)
      if (!LOCKED.test(reason)) throw this.#unusable(reason, error)
      return reason
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

  async #release(connection: Connection): Promise<void> {
    if (!this.#isAttached) return
    this.#isAttached = false
    try {
      await connection.run(`DETACH ${quoted(this.#alias)}`)
    } finally {
      inUse.delete(this.#path ?? '')
    }
  }

  async #realPath(): Promise<string> {
    const { path } = this.#target
    this.#path ??= await realpath(path).catch(async () => join(await realpath(dirname(path)), basename(path)))
    return this.#path
  }

  #unusable(reason: string, cause?: unknown): SluiceError {
    const { path, description: sink } = this.#target
    return new SluiceError('SINK_PATH', { path, sink, reason, expected: FILE }, { cause })
  }
}

/** What DuckDB said, without our own advice about queries. */
export function sqlReason(error: unknown): string {
  if (error instanceof SluiceError && 'reason' in error.params) return String(error.params.reason)
  return reasonOf(error)
}
