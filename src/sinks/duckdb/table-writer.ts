import type { Schema } from '../../batch.ts'
import { type Connection, literal, quoted } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import type { OutputMode } from '../../output-mode.ts'
import { NOTES, type TableTarget } from './options.ts'

/** The rows to write: a temporary table of the writing connection. */
export const INCOMING = 'incoming'

export interface Batch {
  readonly queryId: string
  readonly batchId: number
  readonly mode: OutputMode
  /** Of the table `INCOMING`. */
  readonly schema: Schema
}

/**
 * Writes batches into a table and notes each beside the rows, in one transaction: the file holds both or neither.
 */
export class TableWriter {
  readonly #connection: Connection
  readonly #catalog: string
  readonly #target: TableTarget
  /** Quoted and qualified. */
  readonly #table: string
  readonly #notes: string

  /** @param catalog the name under which the file is attached */
  constructor(connection: Connection, catalog: string, target: TableTarget) {
    this.#connection = connection
    this.#catalog = catalog
    this.#target = target
    this.#table = [catalog, target.schema, target.table].map(quoted).join('.')
    this.#notes = [catalog, NOTES, 'batches'].map(quoted).join('.')
  }

  /** Leaves out a batch that is noted already. @throws SINK_TABLE */
  async write(batch: Batch): Promise<void> {
    await this.#connection.run('BEGIN')
    try {
      const last = await this.#lastBatch(batch)
      if (last === undefined) await this.#begin(batch)
      // The query may have been changed since: DuckDB would cast what it can, and so round numbers.
      else if (last < batch.batchId) this.#checkColumns(await this.#columns(), batch.schema)
      hit('sink.begun')
      if (last === undefined || last < batch.batchId) await this.#add(batch)
      hit('sink.added')
      await this.#connection.run('COMMIT')
      hit('sink.committed')
    } catch (error) {
      await this.#connection.run('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  async #add({ mode, schema, batchId, queryId }: Batch): Promise<void> {
    if (mode === 'complete') await this.#connection.run(`DELETE FROM ${this.#table}`)
    const merge =
      mode === 'update' ? upsert(this.#table, this.#target.key, schema) : insert(this.#table, schema)
    await this.#connection.run(merge)
    await this.#connection.run(`UPDATE ${this.#notes} SET batch = ${batchId} WHERE ${this.#noteOf(queryId)}`)
  }

  /** Undefined before the first batch of the query. */
  async #lastBatch({ queryId }: Batch): Promise<number | undefined> {
    const schema = [this.#catalog, NOTES].map(quoted).join('.')
    await this.#connection.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
    await this.#connection.run(
      `CREATE TABLE IF NOT EXISTS ${this.#notes} (query VARCHAR, "table" VARCHAR, batch BIGINT)`,
    )
    const last = await this.#connection.value(
      `SELECT batch FROM ${this.#notes} WHERE ${this.#noteOf(queryId)}`,
    )
    return last === undefined ? undefined : Number(last)
  }

  #noteOf(queryId: string): string {
    return `query = ${literal(queryId)} AND "table" = ${literal(this.#name)}`
  }

  /** Makes the table, or finds it fit, and writes a note of no batch. */
  async #begin({ queryId, schema, mode }: Batch): Promise<void> {
    const found = await this.#columns()
    if (found.length === 0) {
      const columns = schema.map((field) => `${quoted(field.name)} ${field.type}`).join(', ')
      const folder = [this.#catalog, this.#target.schema].map(quoted).join('.')
      await this.#connection.run(`CREATE SCHEMA IF NOT EXISTS ${folder}`)
      await this.#connection.run(`CREATE TABLE ${this.#table} (${columns})`)
    } else if (mode === 'complete') {
      const reason = 'it was not made by this query, and complete mode would empty it'
      throw this.#refusal(reason, 'choose another table, or drop this one')
    } else {
      this.#checkColumns(found, schema)
    }
    await this.#connection.run(
      `INSERT INTO ${this.#notes} VALUES (${literal(queryId)}, ${literal(this.#name)}, -1)`,
    )
  }

  /** A table may have more columns than the query; the others are NULL or have their default in new rows. */
  #checkColumns(found: Schema, schema: Schema): void {
    if (found.length === 0) throw this.#refusal('it is not there any more', 'restore it')
    for (const { name, type } of schema) {
      const other = found.find((field) => field.name.toLowerCase() === name.toLowerCase())
      if (other?.type === type) continue
      const has = other === undefined ? `no column ${name}` : `${name} of type ${other.type}`
      const remedy = 'cast or name the column otherwise in the SELECT, or alter the table'
      throw this.#refusal(`it has ${has} where the query gives ${type}`, remedy)
    }
  }

  /** None when there is no such table. A view has columns as well; DuckDB refuses to write to it. */
  async #columns(): Promise<Schema> {
    const rows = await this.#connection.rows(
      `SELECT column_name AS name, data_type AS type FROM duckdb_columns()
       WHERE database_name = ${literal(this.#catalog)}
         AND lower(schema_name) = lower(${literal(this.#target.schema)})
         AND lower(table_name) = lower(${literal(this.#target.table)})`,
    )
    return rows.map(({ name, type }) => ({ name: String(name), type: String(type) }))
  }

  /** As notes and messages spell it. */
  get #name(): string {
    return `${this.#target.schema}.${this.#target.table}`.toLowerCase()
  }

  #refusal(reason: string, remedy: string): SluiceError {
    return new SluiceError('SINK_TABLE', { table: this.#name, path: this.#target.path, reason, remedy })
  }
}

function insert(table: string, schema: Schema): string {
  const columns = listOf(schema.map(({ name }) => name))
  return `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM temp.main.${INCOMING}`
}

/** Of several rows with one key the last counts, in the order in which the query gives them. */
function upsert(table: string, key: readonly string[], schema: Schema): string {
  const columns = schema.map(({ name }) => name)
  const rest = columns.filter((column) => !key.includes(column))
  const same = key.map((column) => `old.${quoted(column)} IS NOT DISTINCT FROM new.${quoted(column)}`)
  const replaced = rest.map((column) => `${quoted(column)} = new.${quoted(column)}`).join(', ')
  return `
    MERGE INTO ${table} AS old
    USING (
      FROM temp.main.${INCOMING}
      QUALIFY row_number() OVER (PARTITION BY ${listOf(key)} ORDER BY rowid DESC) = 1
    ) AS new ON (${same.join(' AND ')})
    ${rest.length > 0 ? `WHEN MATCHED THEN UPDATE SET ${replaced}` : ''}
    WHEN NOT MATCHED THEN INSERT (${listOf(columns)}) VALUES (${listOf(columns, 'new.')})`
}

function listOf(columns: readonly string[], prefix = ''): string {
  return columns.map((column) => `${prefix}${quoted(column)}`).join(', ')
}
