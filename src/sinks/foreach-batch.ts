import type { Table } from 'apache-arrow'
import type { Schema } from '../batch.ts'
import type { Relation, Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { Formats } from '../formats.ts'
import { type OptionValue, parseOptions } from '../options.ts'
import type { OutputMode } from '../output-mode.ts'
import type { SinkFormat } from './sink.ts'
import { Targets } from './targets.ts'

/** The rows of one batch, to be read as often as needed while the function runs. */
export interface BatchRows {
  /** How many there are. */
  readonly rows: number
  readonly schema: Schema
  /** @throws BATCH_OVER once the function has returned */
  toArrow(): Promise<Table>
  /** @throws BATCH_OVER once the function has returned */
  toObjects(): Promise<Row[]>
  /**
   * Writes the rows to a sink, under the number of this batch, so that what the sink promises holds as if it were that of
   * the query. For several sinks out of one read: one call for each, one after the other.
   *
   * @param format by name, or one of your own
   * @param mode default: that of the query
   * @throws BATCH_OVER, FORMAT_UNKNOWN, SINK_MODE, OPTION_…, and what the sink throws
   */
  write(
    format: string | SinkFormat,
    options?: Readonly<Record<string, OptionValue>>,
    mode?: OutputMode,
  ): Promise<void>
}

export type ForeachBatch = (batch: BatchRows, batchId: number) => void | Promise<void>

/**
 * A sink of the user's own. After a crash the last batch comes again with the same id, so writing by id makes it
 * exactly-once.
 */
export function foreachBatchFormat(write: ForeachBatch, sinks: Formats<SinkFormat>): SinkFormat {
  return Object.freeze({
    name: 'foreachBatch',
    modes: ['append', 'update', 'complete'],
    guarantee: 'at-least-once',
    options: {},
    open: async (context) => {
      parseOptions('foreachBatch', {}, context.options)
      const targets = new Targets(context, sinks)
      return {
        description: 'foreachBatch',
        guarantee: 'at-least-once',
        write: async (batchId, relation) => {
          const batch = new OpenBatch(relation, batchId, targets)
          try {
            await write(batch, batchId)
          } finally {
            await batch.close()
          }
        },
        close: () => targets.close(),
      }
    },
  } satisfies SinkFormat)
}

/** The rows of the running batch: each form is read once, and one after the other as a connection has it. */
class OpenBatch implements BatchRows {
  readonly rows: number
  readonly schema: Schema
  readonly #batchId: number
  readonly #targets: Targets
  #relation: Relation | undefined
  #arrow: Promise<Table> | undefined
  #objects: Promise<Row[]> | undefined
  /** Settles, and never rejects, when no read is under way. */
  #quiet: Promise<unknown> = Promise.resolve()

  constructor(relation: Relation, batchId: number, targets: Targets) {
    this.rows = relation.rows
    this.schema = relation.schema
    this.#relation = relation
    this.#batchId = batchId
    this.#targets = targets
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

  async write(
    format: string | SinkFormat,
    options: Readonly<Record<string, OptionValue>> = {},
    mode?: OutputMode,
  ): Promise<void> {
    const relation = this.#open()
    await this.#inTurn(async () => {
      const sink = await this.#targets.open(format, options, mode)
      await sink.write(this.#batchId, relation)
    })
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
