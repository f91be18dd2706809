import { quoted } from '../../duckdb.ts'
import { Column, type Operand, sqlOf } from '../column.ts'

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

/** An expression as DuckDB writes it: `expr('price * 2 AS cost')`. */
export function expr(sql: string): Column {
  return new Column(sql)
}

/** Any DuckDB function by its name: `callFunction('levenshtein', col('a'), 'b')`. SQL: `levenshtein("a", 'b')` */
export function callFunction(name: string, ...args: readonly Operand[]): Column {
  return new Column(`${quoted(name)}(${args.map(sqlOf).join(', ')})`)
}

/** A function of `session.udf`, or any other, over columns: `callUdf('net', 'price')`. SQL: `"net"("price")` */
export function callUdf(name: string, ...columns: readonly ColumnOrName[]): Column {
  return callFunction(name, ...columns.map(columnOf))
}

/** A string as the column of that name. */
export function columnOf(column: ColumnOrName): Column {
  return typeof column === 'string' ? col(column) : column
}

/** The SQL of a column or of the column of that name. */
export function sqlFor(column: ColumnOrName): string {
  return columnOf(column).sql
}

/** A function of one column that DuckDB has under the same name and with the same meaning. */
export function unary(name: string): (column: ColumnOrName) => Column {
  return (column) => new Column(`${name}(${sqlFor(column)})`)
}

/** A function of any number of columns, likewise. */
export function variadic(name: string): (...columns: readonly ColumnOrName[]) => Column {
  return (...columns) => new Column(`${name}(${columns.map(sqlFor).join(', ')})`)
}
