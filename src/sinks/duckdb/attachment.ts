import { type Connection, literal, quoted } from '../../duckdb.ts'
import type { DiskCalls } from '../../durable-file.ts'
import { DatabaseBlocks } from './database-blocks.ts'
import { isHeldElsewhere } from './held-elsewhere.ts'
import { makeDatabase } from './make-database.ts'
import type { MetadataJournal } from './metadata-journal.ts'
import { RepairLock } from './repair-lock.ts'

/** What an attachment is made of. */
export interface AttachmentParts {
  readonly connection: Connection
  /** Real and absolute. */
  readonly path: string
  /** A name of its own in the session. */
  readonly alias: string
  readonly journal: MetadataJournal
  readonly calls: DiskCalls
  /** Is told how many blocks of metadata a process that died has left damaged, once they are whole again. */
  readonly onRestored: (blocks: number) => void
}

/** A database file while a sink has it for itself. */
export class Attachment {
  readonly #parts: AttachmentParts
  readonly #blocks: DatabaseBlocks

  private constructor(parts: AttachmentParts, blocks: DatabaseBlocks) {
    this.#parts = parts
    this.#blocks = blocks
  }

  /**
   * Makes the file if it is not there, and restores it if a process died while DuckDB wrote over its metadata.
   *
   * @throws what DuckDB has against it: most often that another process has the file
   */
  static async open(parts: AttachmentParts): Promise<Attachment> {
    const { connection, path, alias, calls } = parts
    await makeDatabase(calls, connection, path, alias)
    const attachment = new Attachment(parts, await DatabaseBlocks.open(calls, path))
    try {
      await attachment.#attach()
      return attachment
    } catch (error) {
      await attachment.#blocks.close()
      throw error
    }
  }

  /** Comes before whatever may end in a checkpoint. */
  async keepMetadata(): Promise<void> {
    const { journal, connection, alias } = this.#parts
    await journal.keep(connection, alias, this.#blocks)
  }

  /** The last of several commits is checkpointed here. */
  async close(): Promise<void> {
    const { journal } = this.#parts
    try {
      await this.#detach()
      await journal.drop()
    } finally {
      await this.#blocks.close()
    }
  }

  async #attach(): Promise<void> {
    const refusal = await this.#tryToAttach()
    const damaged = await this.#parts.journal.overwritten(this.#blocks)
    if (damaged.size > 0) return this.#restore(refusal === undefined)
    if (refusal !== undefined) throw refusal
  }

  /** Another process of ours may have come to the same conclusion. */
  async #restore(isAttached: boolean): Promise<void> {
    const { connection, path, alias, calls, journal, onRestored } = this.#parts
    let attached = isAttached
    try {
      await new RepairLock(calls, path, `${alias}_repair`).hold(connection, async () => {
        const refusal = attached ? undefined : await this.#tryToAttach()
        attached = refusal === undefined
        if (refusal !== undefined && isHeldElsewhere(refusal)) throw refusal
        // Nobody has the file, or DuckDB has it for us.
        const blocks = await journal.restore(this.#blocks)
        if (!attached) await this.#attachNow()
        attached = true
        onRestored(blocks)
      })
    } catch (error) {
      if (attached) await this.#detach()
      throw error
    }
  }

  /** @returns why not */
  async #tryToAttach(): Promise<unknown> {
    try {
      await this.#attachNow()
      return undefined
    } catch (error) {
      return error
    }
  }

  async #attachNow(): Promise<void> {
    const { connection, path, alias } = this.#parts
    await connection.run(`ATTACH ${literal(path)} AS ${quoted(alias)} (TYPE duckdb)`)
  }

  async #detach(): Promise<void> {
    const { connection, alias } = this.#parts
    await connection.run(`DETACH ${quoted(alias)}`)
  }
}
