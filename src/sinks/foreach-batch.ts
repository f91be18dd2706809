import type { Table } from 'apache-arrow'
import type { Schema } from '../batch.ts'
import type { Relation, Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { SinkFormat } from './sink.ts'

/** The rows of one batch, to be read as often as needed while the function runs. */
export interface BatchRows {
  /** How many there are. */
  readonly rows: number
  readonly schema: Schema
  /** @throws BATCH_OVER once the function has returned */
  toArrow(): Promise<Table>
  /** @throws BATCH_OVER once the function has returned */
  toObjects(): Promise<Row[]>
}

export type ForeachBatch = (batch: BatchRows, batchId: number) => void | Promise<void>

/**
 * A sink of the user's own. After a crash the last batch comes again with the same id, so writing by id makes it
 * exactly-once.
 */
export function foreachBatchFormat(write: ForeachBatch): SinkFormat {
  return Object.freeze({
    name: 'foreachBatch',
    modes: ['append', 'update', 'complete'],
    guarantee: 'at-least-once',
    options: {},
    open: async ({ options }) => {
      parseOptions('foreachBatch', {}, options)
      return {
        description: 'foreachBatch',
        guarantee: 'at-least-once',
        write: async (batchId, relation) => {
          const batch = new OpenBatch(relation, batchId)
          try {
            await write(batch, batchId)
          } finally {
            await batch.close()
          }
        },
        close: async () => undefined,
      }
    },
  } satisfies SinkFormat)
}

/** The rows of the running batch: each form is read once, and one after the other as a connection has it. */
class OpenBatch implements BatchRows {
  readonly rows: number
  readonly schema: Schema
  readonly #batchId: number
  #relation: Relation | undefined
  #arrow: Promise<Table> | undefined
  #objects: Promise<Row[]> | undefined
  /** Settles, and never rejects, when no read is under way. */
  #quiet: Promise<unknown> = Promise.resolve()

  constructor(relation: Relation, batchId: number) {
    this.rows = relation.rows
    this.schema = relation.schema
    this.#relation = relation
    this.#batchId = batchId
  }

  async toArrow(): Promise<Table> {
    const relation = this.#open()
    this.#arrow ??= this.#inTurn(() => relation.toArrow())
    return this.#arrow
  }

  async toObjects(): Promise<Row[]> {
    const relation = this.#open()
    this.#objects ??= this.#inTurn(() => relation.toObjects())
    return this.#objects
  }

  /** Waits for reads that the function began and did not await: later they would find the rows of another batch. */
  async close(): Promise<void> {
    this.#relation = undefined
    await this.#quiet
    this.#arrow = undefined
    this.#objects = undefined
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const result = this.#quiet.then(read)
    this.#quiet = result.catch(() => undefined)
    return result
  }

  #open(): Relation {
    if (this.#relation) return this.#relation
    throw new SluiceError('BATCH_OVER', { batch: this.#batchId })
  }
}
