import { createHash } from 'node:crypto'
import type { Batch, Range, Schema } from '../batch.ts'
import type { Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { recordsOf } from '../rows.ts'
import type { Read, Source, SourceFormat } from './source.ts'

/**
 * A stream that a test or a program fills by hand: `session.readStream.format(stream).load()`.
 *
 * It keeps all rows, so every query and every restart within the process can read them again.
 */
export class MemoryStream implements SourceFormat {
  readonly name: string
  readonly #schema: Schema
  readonly #rows: Row[] = []
  readonly #batchRows: () => number

  /**
   * @param columns names and DuckDB types: `{ word: 'VARCHAR', at: 'TIMESTAMP' }`
   * @param options `name` for explain and the checkpoint; `batchRows` gives the most rows of the next batch (default: all)
   */
  constructor(
    columns: Readonly<Record<string, string>>,
    options: { readonly name?: string; readonly batchRows?: () => number } = {},
  ) {
    this.name = options.name ?? 'memory'
    this.#batchRows = options.batchRows ?? (() => Number.MAX_SAFE_INTEGER)
    this.#schema = Object.freeze(Object.entries(columns).map(([name, type]) => Object.freeze({ name, type })))
  }

  /** Appends rows; a missing column is NULL. */
  add(...rows: readonly Row[]): void {
    this.#rows.push(...rows)
  }

  schema(): Schema {
    return this.#schema
  }

  describe(): string {
    return `memory[${this.name}]`
  }

  open(): Source {
    let end = Number.MAX_SAFE_INTEGER
    const batch = ({ start, end: stop }: Range): Batch => {
      const rows = this.#rows.slice(start as number, stop as number)
      const records = [recordsOf(this.#schema, rows)]
      return { range: { start, end: stop }, rows: rows.length, records, digest: digestOf(rows) }
    }
    return {
      description: this.describe(),
      schema: this.#schema,
      initial: async () => 0,
      resume: async () => undefined,
      pinEnd: async () => {
        end = this.#rows.length
      },
      read: async (from): Promise<Read> => {
        const start = from as number
        const available = Math.min(this.#rows.length, end)
        const stop = Math.min(available, start + this.#batchRows())
        const drained = stop >= available
        return stop > start ? { batch: batch({ start, end: stop }), drained } : { drained }
      },
      reread: async (range) => {
        if ((range.end as number) <= this.#rows.length) return batch(range)
        const place = `rows ${String(range.start)} to ${String(range.end)}`
        throw new SluiceError('DATA_LOST', {
          source: this.describe(),
          what: place,
          reason: 'the process that held them ended',
        })
      },
      metrics: () => ({ rows: this.#rows.length }),
      close: async () => undefined,
    }
  }
}

function digestOf(rows: readonly Row[]): string {
  const text = JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  return createHash('sha256').update(text).digest('hex')
}
