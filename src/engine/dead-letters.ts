import type { Schema } from '../batch.ts'
import { literal, quoted } from '../duckdb.ts'
import type { Program } from '../plan/incremental.ts'
import type { RefusedRow, Sink } from '../sinks/sink.ts'
import type { OperatorCounts, Stages } from './stages.ts'
import { writeBatch } from './write-batch.ts'

/** One shape for all, so that any sink can take them, and a Kinesis stream without a query between. */
export const LETTER_SCHEMA: Schema = Object.freeze([
  /** `bad` record, `late` row or `refused` row. */
  { name: 'kind', type: 'VARCHAR' },
  /** The source, operator or sink. */
  { name: 'origin', type: 'VARCHAR' },
  { name: 'reason', type: 'VARCHAR' },
  { name: 'queryId', type: 'VARCHAR' },
  { name: 'batchId', type: 'BIGINT' },
  /** Of the record; of a row, the query's id. */
  { name: 'partitionKey', type: 'VARCHAR' },
  /** The bytes of the record; a row as JSON. */
  { name: 'data', type: 'BLOB' },
  /** The other columns of the source, as JSON: where the record stands. */
  { name: 'details', type: 'VARCHAR' },
])

const LETTERS = 'dead_letters'

export type Refuse = (row: RefusedRow) => void

/** Opens the sink of a query's dead letters. */
export type OpenDeadLetters = (schema: Schema, queryId: string, stop: AbortSignal) => Promise<Sink>

/** The rows of one batch that its sink could not place. */
export class RefusedRows {
  #rows: RefusedRow[] = []

  add(row: RefusedRow): void {
    this.#rows.push(row)
  }

  /** All of them, which are then forgotten. */
  take(): readonly RefusedRow[] {
    return this.#rows.splice(0)
  }
}

/**
 * What a query could not do anything with: records that do not fit their schema, rows behind the watermark, and rows
 * that the sink's target refuses. They go to a sink of their own, once a batch, after the rows and before the commit.
 */
export class DeadLetters {
  readonly #program: Program
  readonly #stages: Stages
  readonly #refused: RefusedRows
  readonly #sink: Sink
  readonly #query: { readonly queryId: string; readonly sink: Sink }

  /** @param query whose letters they are, and the sink of its rows */
  constructor(
    program: Program,
    stages: Stages,
    refused: RefusedRows,
    sink: Sink,
    query: { readonly queryId: string; readonly sink: Sink },
  ) {
    this.#program = program
    this.#stages = stages
    this.#refused = refused
    this.#sink = sink
    this.#query = query
  }

  /** Forgets what an attempt at the batch that failed had collected. */
  begin(): void {
    this.#refused.take()
  }

  /** With the same batch id again, it has the effect that the sink promises. */
  async write(
    batchId: number,
    malformed: readonly (number | undefined)[],
    operators: readonly OperatorCounts[],
  ): Promise<void> {
    const refused = this.#refused.take()
    const selects = [
      ...(await this.#badRecords(batchId, malformed)),
      ...this.#lateRows(batchId, operators),
      ...(refused.length > 0 ? [this.#refusedRows(batchId, refused)] : []),
    ]
    if (selects.length === 0) return
    const letters = await this.#stages.collect(LETTERS, LETTER_SCHEMA, selects)
    if (letters.rows > 0) await writeBatch(this.#sink, batchId, letters)
  }

  async #badRecords(batchId: number, malformed: readonly (number | undefined)[]): Promise<string[]> {
    const selects: string[] = []
    for (const [index, { input, payload }] of this.#program.sources.entries()) {
      if (!malformed[index] || !payload?.badRecords) continue
      const { name } = await this.#stages.badRecords(index)
      const others = payload.rawSchema.filter((column) => column.name !== 'data')
      const key = others.find((column) => column.name === 'partitionKey')
      selects.push(
        this.#select(batchId, {
          kind: 'bad',
          origin: input.description,
          reason: 'reason',
          key: key ? quoted(key.name) : 'NULL',
          data: '"data"',
          details: others.length > 0 ? jsonOf(others) : 'NULL',
          from: name,
        }),
      )
    }
    return selects
  }

  #lateRows(batchId: number, operators: readonly OperatorCounts[]): string[] {
    return operators.flatMap(({ operatorName, numRowsDroppedByWatermark }) => {
      const late = this.#program.operators.find(({ name }) => name === operatorName)?.late
      if (!late || numRowsDroppedByWatermark === 0) return []
      const letter = {
        kind: 'late',
        origin: operatorName,
        reason: `'behind the watermark ' || _watermark::VARCHAR`,
        key: 'NULL',
        data: `encode(${jsonOf(late.schema.filter(({ name }) => name !== '_watermark' && name !== '_batch_id'))})`,
        details: 'NULL',
        from: `(${late.rows(batchId)})`,
      }
      return [this.#select(batchId, letter)]
    })
  }

  #refusedRows(batchId: number, refused: readonly RefusedRow[]): string {
    const rows = refused.map(({ reason, data, partitionKey }) => {
      const key = partitionKey === undefined ? 'NULL' : literal(partitionKey)
      return `(${literal(reason)}, ${key}, unhex('${Buffer.from(data as Uint8Array).toString('hex')}'))`
    })
    return this.#select(batchId, {
      kind: 'refused',
      origin: this.#query.sink.description,
      reason: 'r.reason',
      key: 'r.key',
      data: 'r.data',
      details: 'NULL',
      from: `(VALUES ${rows.join(', ')}) r(reason, key, data)`,
    })
  }

  #select(
    batchId: number,
    letter: Readonly<Record<'kind' | 'origin' | 'reason' | 'key' | 'data' | 'details' | 'from', string>>,
  ): string {
    const id = literal(this.#query.queryId)
    const { kind, origin, reason, key, data, details, from } = letter
    return (
      `SELECT ${literal(kind)}, ${literal(origin)}, ${reason}, ${id}, ${batchId}, ` +
      `coalesce(nullif(${key}, ''), ${id}), ${data}, ${details} FROM ${from}`
    )
  }
}

function jsonOf(columns: Schema): string {
  const members = columns.map(({ name }) => `${literal(name)}: ${quoted(name)}`)
  return `to_json({${members.join(', ')}})::VARCHAR`
}
