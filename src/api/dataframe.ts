import type { Table } from 'apache-arrow'
import type { Schema } from '../batch.ts'
import { quoted, type Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { parseDuration } from '../options.ts'
import { emptyTable } from '../plan/ast.ts'
import { buildPlan } from '../plan/build.ts'
import { checkShape } from '../plan/check.ts'
import { describePlan } from '../plan/describe-plan.ts'
import { type Draft, draftOver, INPUT, OTHER, readsStream, type SqlDraft } from '../plan/draft.ts'
import { explainPlan } from '../plan/explain.ts'
import { isStreaming, type Plan } from '../plan/plan.ts'
import { toQuery } from '../plan/to-query.ts'
import { renderTable } from '../sinks/render-table.ts'
import { type Column, itemOf, orderOf } from './column.ts'
import { type ColumnOrName, columnOf } from './functions/column-name.ts'
import { GroupedData } from './grouped-data.ts'
import { type JoinKind, joinSql } from './join-kind.ts'
import { KeyedGroups } from './keyed-groups.ts'
import { type DropOptions, dropnaSql, type Fill, fillnaSql } from './missing-values.ts'
import { allRenamedSql, renamedSql, unionByNameSql, withColumnsSql, withoutSql } from './select-lists.ts'
import type { SessionContext } from './session-context.ts'
import { DataStreamWriter } from './writer.ts'

/**
 * A query that has not run: rows of streams and tables, and what to do with them. Immutable; every verb gives a new
 * one. As in Spark Connect, text and names are analysed when the DataFrame is first used (`start`, `explain`,
 * `printSchema`, `collect`), so that is where SQL_SYNTAX, SQL_INVALID and STREAMING_UNSUPPORTED come from.
 */
export class DataFrame {
  readonly #context: SessionContext
  readonly #draft: Draft
  /** What a join calls it. */
  readonly #name: string | undefined

  constructor(context: SessionContext, draft: Draft, name?: string) {
    this.#context = context
    this.#draft = draft
    this.#name = name
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
    return this.withColumns({ [name]: column })
  }

  /** Adds or replaces several columns, all of them made from the ones before. */
  withColumns(added: Readonly<Record<string, Column>>): DataFrame {
    return this.#verb((columns) => withColumnsSql(columns, added))
  }

  /** Gives a column another name; no effect when there is none of the old name. */
  withColumnRenamed(from: string, to: string): DataFrame {
    return this.withColumnsRenamed({ [from]: to })
  }

  /** Gives columns other names; old names that are not there are ignored. */
  withColumnsRenamed(renamed: Readonly<Record<string, string>>): DataFrame {
    return this.#verb((columns) => renamedSql(columns, renamed))
  }

  /**
   * All columns, in their order, by new names.
   *
   * @throws SQL_INVALID when it is used, for more or fewer names than columns
   */
  toDF(...names: readonly string[]): DataFrame {
    return this.#verb((columns) => allRenamedSql(columns, names))
  }

  /** What a function of DataFrames makes of this one, so that steps of one's own can be chained. */
  transform(step: (frame: DataFrame) => DataFrame): DataFrame {
    return step(this)
  }

  /** Drops rows with missing values: NULL, or NaN in a column of fractions. */
  dropna(options: DropOptions = {}): DataFrame {
    return this.#verb((columns) => dropnaSql(columns, options))
  }

  /**
   * Puts a value where one is missing: a number into columns of numbers, a text into those of text, a boolean into those
   * of booleans; or by column, `fillna({ page: 'none', n: 0 })`.
   */
  fillna(fill: Fill, subset?: readonly string[]): DataFrame {
    return this.#verb((columns) => fillnaSql(columns, fill, subset))
  }

  /** `na.drop` and `na.fill`: the same as `dropna` and `fillna`. */
  get na() {
    return {
      drop: (options: DropOptions = {}): DataFrame => this.dropna(options),
      fill: (fill: Fill, subset?: readonly string[]): DataFrame => this.fillna(fill, subset),
    }
  }

  /** All columns but these; names that are not there are ignored. */
  drop(...names: readonly string[]): DataFrame {
    return this.#verb((columns) => withoutSql(columns, names))
  }

  /** `GROUP BY …`, to be finished with `agg` or `count`; without columns, all rows are one group. */
  groupBy(...columns: readonly ColumnOrName[]): GroupedData {
    return new GroupedData(columns.map(columnOf), (text) => this.#verb(text))
  }

  /** `GROUP BY ROLLUP (a, b)`: groups by a and b, by a, and of all rows; keys left out are NULL, see `grouping`. */
  rollup(...columns: readonly ColumnOrName[]): GroupedData {
    return new GroupedData(columns.map(columnOf), (text) => this.#verb(text), 'ROLLUP')
  }

  /** `GROUP BY CUBE (a, b)`: groups by every combination of the columns; keys left out are NULL, see `grouping`. */
  cube(...columns: readonly ColumnOrName[]): GroupedData {
    return new GroupedData(columns.map(columnOf), (text) => this.#verb(text), 'CUBE')
  }

  /**
   * Groups for a function of your own, with a state that it keeps: `groupByKey('user').mapGroupsWithState(…)`. The
   * function knows a key by the name of its column, or by the one given with `as`.
   */
  groupByKey(...columns: readonly ColumnOrName[]): KeyedGroups {
    const keys = columns.map((each) => {
      const column = columnOf(each)
      return { column, name: column.name ?? (typeof each === 'string' ? each : column.sql) }
    })
    return new KeyedGroups(keys, (groups) => this.#from({ input: this.#draft, groups }))
  }

  /** `SELECT avg(price) FROM input`: aggregates over all rows. */
  agg(...columns: readonly Column[]): DataFrame {
    return this.groupBy().agg(...columns)
  }

  /** UNION ALL by position, as in Spark: duplicates stay. */
  union(other: DataFrame): DataFrame {
    return this.#with(other, `FROM ${INPUT} UNION ALL FROM ${OTHER}`)
  }

  /** The same as `union`. */
  unionAll(other: DataFrame): DataFrame {
    return this.union(other)
  }

  /**
   * UNION ALL by the names of the columns, in the order of this DataFrame.
   *
   * @param allowMissingColumns makes NULL of columns that only one side has; else they are an error when it is used
   */
  unionByName(other: DataFrame, { allowMissingColumns = false } = {}): DataFrame {
    return this.#with(other, (left, right) => unionByNameSql(left, right, allowMissingColumns))
  }

  /** A name for the columns of a join's side: `clicks.as('c').join(orders.as('o'), expr('c.id = o.id'))`. */
  as(name: string): DataFrame {
    return new DataFrame(this.#context, this.#draft, name)
  }

  /** The same as `as`. */
  alias(name: string): DataFrame {
    return this.as(name)
  }

  /**
   * `SELECT * FROM c JOIN o ON …`. Joins of two streams keep rows of both sides; with watermarks and a condition that
   * bounds the time between partners they forget them again. Without names the sides are called `input` and `other`.
   *
   * @param on columns of both sides that must be equal, or a condition; of `asof` the last column is the time
   * @throws OPTION_INVALID for another kind
   */
  join(other: DataFrame, on: string | readonly string[] | Column, type: JoinKind = 'inner'): DataFrame {
    const names = typeof on === 'string' ? [on] : on
    const condition = 'sql' in names ? `ON ${names.sql}` : `USING (${names.map(quoted).join(', ')})`
    const sides = `${INPUT} AS ${quoted(this.#name ?? INPUT)} ${joinSql(type)} ${OTHER} AS ${quoted(other.#name ?? OTHER)}`
    return this.#with(other, `SELECT * FROM ${sides} ${condition}`)
  }

  /**
   * `ORDER BY …`, NULLs first unless a column says `desc` or where they go; on a stream only above an aggregation, in
   * complete mode.
   */
  orderBy(...columns: readonly ColumnOrName[]): DataFrame {
    return this.#verb(
      `SELECT * FROM ${INPUT} ORDER BY ${columns.map((column) => orderOf(columnOf(column))).join(', ')}`,
    )
  }

  /** The same as `orderBy`. */
  sort(...columns: readonly ColumnOrName[]): DataFrame {
    return this.orderBy(...columns)
  }

  /** `LIMIT n`; on a stream only above an aggregation, in complete mode. */
  limit(rows: number): DataFrame {
    return this.#verb(`SELECT * FROM ${INPUT} LIMIT ${Math.trunc(rows)}`)
  }

  /** `SELECT DISTINCT *`: the first of every row. On a stream every row ever seen is remembered, see `dropDuplicates`. */
  distinct(): DataFrame {
    return this.dropDuplicates()
  }

  /**
   * The first row of every combination of these columns, or of all. With the watermark's column among them, a
   * combination is forgotten when the watermark passes it; else never.
   */
  dropDuplicates(...columns: readonly string[]): DataFrame {
    return this.#from({ input: this.#draft, distinct: { columns, isWithinWatermark: false } })
  }

  /** Like `dropDuplicates`, for duplicates that come within the watermark's delay of each other. */
  dropDuplicatesWithinWatermark(...columns: readonly string[]): DataFrame {
    return this.#from({ input: this.#draft, distinct: { columns, isWithinWatermark: true } })
  }

  /**
   * Says which column is the event time and how much later than the latest row a row may come. Rows later than that
   * may be dropped, and are counted; windows and keys behind it are finished and forgotten. No effect on a table.
   *
   * @param delay such as `30 seconds`
   * @throws OPTION_INVALID; EVENT_TIME_INVALID when the DataFrame is used
   */
  withWatermark(column: string, delay: string): DataFrame {
    return this.#from({ input: this.#draft, watermark: { column, delayMs: delayMs(delay) } })
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

  /** The first rows as objects. Static queries only. */
  async take(rows: number): Promise<Row[]> {
    return this.limit(rows).collect()
  }

  /** The first row, if there is one. Static queries only. */
  async first(): Promise<Row | undefined> {
    return (await this.take(1))[0]
  }

  /** Names of the columns. */
  async columns(): Promise<string[]> {
    return (await this.schema()).map(({ name }) => name)
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

  #verb(text: SqlDraft['text']): DataFrame {
    return this.#from(draftOver(this.#draft, text))
  }

  #with(other: DataFrame, text: SqlDraft['text']): DataFrame {
    const inputs = new Map([
      [INPUT, this.#draft],
      [OTHER, other.#draft],
    ])
    return this.#from({ text, inputs })
  }

  #from(draft: Draft): DataFrame {
    return new DataFrame(this.#context, Object.freeze(draft))
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

/** @throws OPTION_INVALID */
export function delayMs(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  const expected = 'a duration such as 500ms, 10s or 5 minutes'
  throw new SluiceError('OPTION_INVALID', { owner: 'the watermark', option: 'delay', value: text, expected })
}
