import { type Connection, literal, quoted } from '../../duckdb.ts'
import type { DiskCalls } from '../../durable-file.ts'
import { makeDatabase } from './make-database.ts'

/**
 * Held by the one process that restores blocks of a database file, which DuckDB itself does not let it attach.
 *
 * Node knows no locks that end with a process, and those of DuckDB do: the lock is an empty database that nobody ever
 * writes to, attached for as long as the lock is held.
 */
export class RepairLock {
  readonly #calls: DiskCalls
  readonly #path: string
  readonly #alias: string

  /** @param alias under which nothing is attached */
  constructor(calls: DiskCalls, database: string, alias: string) {
    this.#calls = calls
    this.#path = `${database}.sluice-lock`
    this.#alias = alias
  }

  /** @throws what DuckDB says when another process holds the lock */
  async hold<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
    await makeDatabase(this.#calls, connection, this.#path, this.#alias)
    await connection.run(`ATTACH ${literal(this.#path)} AS ${quoted(this.#alias)} (TYPE duckdb)`)
    try {
      return await work()
    } finally {
      await connection.run(`DETACH ${quoted(this.#alias)}`)
    }
  }
}
