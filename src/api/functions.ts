import { quoted } from '../duckdb.ts'
import { Column, type Operand, sqlOf } from './column.ts'

/** Where a column is expected, a string is its name. */
export type ColumnOrName = Column | string

/**
 * A column by its name. `col('a.b')` is field b of a, or column b of the relation a; a name that has a dot in it
 * stands between backticks. `col('*')` is every column.
 *
 * SQL: `"price"`
 */
export function col(name: string): Column {
  if (name === '*') return new Column('*')
  const parts = [...name.matchAll(/`([^`]*)`|([^.`]+)/g)].map((match) => match[1] ?? match[2] ?? '')
  return new Column(parts.map(quoted).join('.'))
}

/** A value as a column. SQL: `'EUR'`, `12`, `NULL` */
export function lit(value: Operand): Column {
  return new Column(sqlOf(value))
}

/** An expression in DuckDB SQL: `expr('price * 2 AS cost')`. */
export function expr(sql: string): Column {
  return new Column(sql)
}

/**
 * Event-time windows: tumbling, or hopping when a slide is given. Each is a struct with fields `start` and `end`, the
 * end not included. In `groupBy` the column is called `window`.
 *
 * SQL: `"window"("at", '10 minutes', '5 minutes')`
 *
 * @param start shifts all windows by so much from the epoch
 */
export function window(column: ColumnOrName, size: string, slide?: string, start?: string): Column {
  const parts = [columnOf(column), size, slide ?? (start === undefined ? undefined : size), start]
  return callFunction('window', ...parts.filter((part) => part !== undefined))
}

/** Windows of one length, side by side; as `window` without a slide. SQL: `tumble("at", '10 minutes')` */
export function tumble(column: ColumnOrName, size: string, start?: string): Column {
  return callFunction('tumble', columnOf(column), size, ...(start === undefined ? [] : [start]))
}

/** Windows of which one begins every slide, in Flink's order of arguments. SQL: `hop("at", '5 minutes', '10 minutes')` */
export function hop(column: ColumnOrName, slide: string, size: string, start?: string): Column {
  return callFunction('hop', columnOf(column), slide, size, ...(start === undefined ? [] : [start]))
}

/**
 * Sessions: rows of the same other keys, each less than or just a gap after the one before. In `groupBy` the column is
 * called `session_window`. SQL: `session_window("at", '5 minutes')`
 */
export function sessionWindow(column: ColumnOrName, gap: string): Column {
  return callFunction('session_window', columnOf(column), gap)
}

/** The last moment of a window, for windows of windows. SQL: `window_time("w")` */
export const windowTime = unary('window_time')

/** Any DuckDB function by its name: `callFunction('levenshtein', col('a'), 'b')`. SQL: `levenshtein("a", 'b')` */
export function callFunction(name: string, ...args: readonly Operand[]): Column {
  return new Column(`${quoted(name)}(${args.map(sqlOf).join(', ')})`)
}

/** A function of `session.udf`, or any other, over columns: `callUdf('net', 'price')`. SQL: `"net"("price")` */
export function callUdf(name: string, ...columns: readonly ColumnOrName[]): Column {
  return callFunction(name, ...columns.map(columnOf))
}

/** The first condition that holds decides: `when(col('n').gt(9), 'many').otherwise('few')`. */
export function when(condition: Column, value: Operand): CaseColumn {
  return new CaseColumn([`WHEN ${condition.sql} THEN ${sqlOf(value)}`])
}

/** `CASE WHEN … THEN … END`, which can still be given more branches. */
export class CaseColumn extends Column {
  readonly #branches: readonly string[]

  constructor(branches: readonly string[]) {
    super(`CASE ${branches.join(' ')} END`)
    this.#branches = branches
  }

  when(condition: Column, value: Operand): CaseColumn {
    return new CaseColumn([...this.#branches, `WHEN ${condition.sql} THEN ${sqlOf(value)}`])
  }

  otherwise(value: Operand): Column {
    return new Column(`CASE ${this.#branches.join(' ')} ELSE ${sqlOf(value)} END`)
  }
}

/** Rows of a group, or those where the column is not NULL. SQL: `count(*)`, `count("page")` */
export function count(column: ColumnOrName = '*'): Column {
  return new Column(column === '*' ? 'count(*)' : `count(${columnOf(column).sql})`)
}

/** SQL: `sum("price")` */
export const sum = unary('sum')
/** SQL: `avg("price")` */
export const avg = unary('avg')
/** The same as `avg`. */
export const mean = avg
/** SQL: `min("price")` */
export const min = unary('min')
/** SQL: `max("price")` */
export const max = unary('max')

/**
 * In `rollup` and `cube`: 0 where a row's group goes by the column, 1 where the column is left out. Several columns make
 * the bits of one number. SQL: `grouping("page")`
 */
export function grouping(...columns: readonly ColumnOrName[]): Column {
  return new Column(`grouping(${columns.map((column) => columnOf(column).sql).join(', ')})`)
}

/** SQL: `lower("page")` */
export const lower = unary('lower')
/** SQL: `upper("page")` */
export const upper = unary('upper')
/** SQL: `trim("page")` */
export const trim = unary('trim')
/** Characters of a text. SQL: `length("page")` */
export const length = unary('length')
/** SQL: `abs("n")` */
export const abs = unary('abs')
/** One row an item of a list. SQL: `unnest("words")` */
export const explode = unary('unnest')

/** Cuts a text at every match of a regular expression. SQL: `regexp_split_to_array("line", '\s+')` */
export function split(column: ColumnOrName, pattern: string): Column {
  return callFunction('regexp_split_to_array', columnOf(column), pattern)
}

/** SQL: `regexp_replace("line", '[^a-z]', '', 'g')` */
export function regexpReplace(column: ColumnOrName, pattern: string, replacement: string): Column {
  return callFunction('regexp_replace', columnOf(column), pattern, replacement, 'g')
}

/** Texts one after the other; NULL where any is NULL. SQL: `("a" || "b")` */
export function concat(...columns: readonly ColumnOrName[]): Column {
  return new Column(`(${columns.map((column) => columnOf(column).sql).join(' || ')})`)
}

/** The first that is not NULL. SQL: `coalesce("a", "b")` */
export function coalesce(...columns: readonly ColumnOrName[]): Column {
  return new Column(`coalesce(${columns.map((column) => columnOf(column).sql).join(', ')})`)
}

/** The time of the running micro-batch, the same for all its rows and again when it is replayed. SQL: `now()` */
export function currentTimestamp(): Column {
  return new Column('now()')
}

/** A struct of columns. SQL: `struct_pack("a" := "a")` */
export function struct(...columns: readonly ColumnOrName[]): Column {
  const fields = columns.map((column) => {
    const { sql, name } = columnOf(column)
    return `${quoted(name ?? (typeof column === 'string' ? column : sql))} := ${sql}`
  })
  return new Column(`struct_pack(${fields.join(', ')})`)
}

/** A string as the column of that name. */
export function columnOf(column: ColumnOrName): Column {
  return typeof column === 'string' ? col(column) : column
}

function unary(name: string): (column: ColumnOrName) => Column {
  return (column) => new Column(`${name}(${columnOf(column).sql})`)
}
