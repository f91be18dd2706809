import type { Table } from 'apache-arrow'
import type { Schema } from '../batch.ts'
import { quoted, type Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { emptyTable } from '../plan/ast.ts'
import { buildPlan } from '../plan/build.ts'
import { checkShape } from '../plan/check.ts'
import { describePlan } from '../plan/describe-plan.ts'
import { type Draft, draftOver, INPUT } from '../plan/draft.ts'
import { explainPlan } from '../plan/explain.ts'
import { isStreaming, type Plan, type StreamInput } from '../plan/plan.ts'
import { toQuery } from '../plan/to-query.ts'
import { renderTable } from '../sinks/render-table.ts'
import { type Column, itemOf } from './column.ts'
import { type ColumnOrName, columnOf } from './functions.ts'
import { GroupedData } from './grouped-data.ts'
import { readsStream, type SessionContext } from './session-context.ts'
import { DataStreamWriter } from './writer.ts'

/**
 * A query that has not run: rows of streams and tables, and what to do with them. Immutable; every verb gives a new
 * one. As in Spark Connect, text and names are analysed when the DataFrame is first used (`start`, `explain`,
 * `printSchema`, `collect`), so that is where SQL_SYNTAX, SQL_INVALID and STREAMING_UNSUPPORTED come from.
 */
export class DataFrame {
  readonly #context: SessionContext
  readonly #draft: Draft | StreamInput

  constructor(context: SessionContext, draft: Draft | StreamInput) {
    this.#context = context
    this.#draft = draft
    Object.freeze(this)
  }

  /** `SELECT page, price * 2 AS twice FROM input`: columns by name or expression. */
  select(...columns: readonly ColumnOrName[]): DataFrame {
    return this.#verb(`SELECT ${columns.map((column) => itemOf(columnOf(column))).join(', ')} FROM ${INPUT}`)
  }

  /** Like `select`, every item in SQL: `selectExpr('page', 'price * 2 AS twice')`. */
  selectExpr(...items: readonly string[]): DataFrame {
    return this.#verb(`SELECT ${items.join(', ')} FROM ${INPUT}`)
  }

  /** `SELECT * FROM input WHERE …`: rows for which the condition, a column or SQL, is true. */
  where(condition: Column | string): DataFrame {
    return this.#verb(
      `SELECT * FROM ${INPUT} WHERE ${typeof condition === 'string' ? condition : condition.sql}`,
    )
  }

  /** The same as `where`. */
  filter(condition: Column | string): DataFrame {
    return this.where(condition)
  }

  /** Adds a column, or replaces the one of that name where it stands. */
  withColumn(name: string, column: Column): DataFrame {
    return this.#verb((columns) => {
      const old = columns.find((field) => field.name.toLowerCase() === name.toLowerCase())
      const star = old
        ? `* REPLACE (${column.sql} AS ${quoted(old.name)})`
        : `*, ${column.sql} AS ${quoted(name)}`
      return `SELECT ${star} FROM ${INPUT}`
    })
  }

  /** Gives a column another name; no effect when there is none of the old name. */
  withColumnRenamed(from: string, to: string): DataFrame {
    return this.#verb((columns) => {
      const items = columns.map(({ name }) =>
        name.toLowerCase() === from.toLowerCase() ? `${quoted(name)} AS ${quoted(to)}` : quoted(name),
      )
      return `SELECT ${items.join(', ')} FROM ${INPUT}`
    })
  }

  /** All columns but these; names that are not there are ignored. */
  drop(...names: readonly string[]): DataFrame {
    return this.#verb((columns) => {
      const gone = columns.filter(({ name }) =>
        names.some((each) => each.toLowerCase() === name.toLowerCase()),
      )
      const exclude = gone.length > 0 ? ` EXCLUDE (${gone.map(({ name }) => quoted(name)).join(', ')})` : ''
      return `SELECT *${exclude} FROM ${INPUT}`
    })
  }

  /** `GROUP BY …`, to be finished with `agg` or `count`; without columns, all rows are one group. */
  groupBy(...columns: readonly ColumnOrName[]): GroupedData {
    return new GroupedData(columns.map(columnOf), (text) => this.#verb(text))
  }

  /** `SELECT avg(price) FROM input`: aggregates over all rows. */
  agg(...columns: readonly Column[]): DataFrame {
    return this.groupBy().agg(...columns)
  }

  /** UNION ALL by position, as in Spark: duplicates stay. */
  union(other: DataFrame): DataFrame {
    const inputs = new Map([
      [INPUT, this.#draft],
      ['other', other.#draft],
    ])
    return new DataFrame(this.#context, { text: `FROM ${INPUT} UNION ALL FROM other`, inputs })
  }

  /** `ORDER BY …`; on a stream only above an aggregation, in complete mode. */
  orderBy(...columns: readonly ColumnOrName[]): DataFrame {
    return this.#verb(
      `SELECT * FROM ${INPUT} ORDER BY ${columns.map((column) => columnOf(column).sql).join(', ')}`,
    )
  }

  /** `LIMIT n`; on a stream only above an aggregation, in complete mode. */
  limit(rows: number): DataFrame {
    return this.#verb(`SELECT * FROM ${INPUT} LIMIT ${Math.trunc(rows)}`)
  }

  /** `SELECT DISTINCT *`; refused on a stream. */
  distinct(): DataFrame {
    return this.#verb(`SELECT DISTINCT * FROM ${INPUT}`)
  }

  /** Lets `session.sql` name this DataFrame. An older view of that name is replaced. */
  createOrReplaceTempView(name: string): void {
    this.#context.views.set(name.toLowerCase(), this.#draft)
  }

  /** Whether a stream is read; then `writeStream` runs it, else `collect` does. */
  get isStreaming(): boolean {
    return readsStream(this.#draft)
  }

  get writeStream(): DataStreamWriter {
    return new DataStreamWriter(this.#context, this.#draft)
  }

  /** Names and DuckDB types of the columns. */
  async schema(): Promise<Schema> {
    return describePlan(await this.#plan(), this.#context.analysis)
  }

  /** Prints the schema as a tree. */
  async printSchema(): Promise<void> {
    const lines = (await this.schema()).map(({ name, type }) => ` |-- ${name}: ${type}`)
    process.stdout.write(`${['root', ...lines].join('\n')}\n`)
  }

  /** The plan as text, one node a line; `StreamingQuery.explain` adds the SQL of its stages. */
  async explain(): Promise<string> {
    return explainPlan(await this.#plan(), this.#context.analysis)
  }

  /** All rows as objects. Static queries only. */
  async collect(): Promise<Row[]> {
    return this.#context.connection.rows(await this.#staticSql('collect'))
  }

  /** All rows as an Arrow table. Static queries only. */
  async toArrow(): Promise<Table> {
    return this.#context.connection.arrow(await this.#staticSql('toArrow'))
  }

  /** The number of rows. Static queries only. */
  async count(): Promise<number> {
    const sql = await this.#staticSql('count')
    return Number(await this.#context.connection.value(`SELECT count(*) FROM (${sql})`))
  }

  /** Prints the first rows as a table. Static queries only. */
  async show(rows = 20): Promise<void> {
    const sql = await this.#staticSql('show')
    process.stdout.write(await renderTable(this.#context.connection, sql, { rows, truncate: 20 }))
  }

  #verb(text: Draft['text']): DataFrame {
    return new DataFrame(this.#context, draftOver(this.#draft, text))
  }

  async #plan(): Promise<Plan> {
    const plan = await buildPlan(this.#draft, this.#context.analysis)
    checkShape(plan)
    return plan
  }

  async #staticSql(call: string): Promise<string> {
    const plan = await this.#plan()
    if (isStreaming(plan)) throw new SluiceError('IS_STREAMING', { call })
    return this.#context.analysis.sql.print(toQuery(plan, { stream: () => emptyTable }))
  }
}
