import type { Schema } from '../batch.ts'
import { type Connection, quoted } from '../duckdb.ts'
import { type BaseTable, baseTable, type Query } from './ast.ts'
import type { StreamInput } from './plan.ts'
import { SqlText } from './sql.ts'

/**
 * What planning asks DuckDB: its parser, its printer, its binder, and which functions aggregate. Streams are
 * bound as empty temporary tables, so no data is needed to know a query's columns.
 */
export class Analysis {
  readonly sql: SqlText
  readonly #connection: Connection
  readonly #tables = new Map<StreamInput, string>()
  #aggregates: Promise<ReadonlySet<string>> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
    this.sql = new SqlText(connection)
  }

  /** The empty table that stands for a stream. */
  async tableOf(input: StreamInput): Promise<BaseTable> {
    let name = this.#tables.get(input)
    if (name === undefined) {
      name = `stream ${this.#tables.size} ${input.description}`
      this.#tables.set(input, name)
      const columns = input.schema.map((field) => `${quoted(field.name)} ${field.type}`).join(', ')
      await this.#connection.run(`CREATE TEMP TABLE ${quoted(name)} (${columns})`)
    }
    return baseTable(name)
  }

  /** @throws SQL_INVALID when a name or a type does not fit */
  async describe(query: Query): Promise<Schema> {
    return this.#connection.describe(await this.sql.print(query))
  }

  /** Lower-case names of all aggregate functions. */
  aggregates(): Promise<ReadonlySet<string>> {
    this.#aggregates ??= this.#loadAggregates()
    return this.#aggregates
  }

  async #loadAggregates(): Promise<ReadonlySet<string>> {
    const rows = await this.#connection.rows(
      `SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE function_type = 'aggregate'`,
    )
    return new Set(rows.map((row) => String(row['name']).toLowerCase()))
  }
}
