import { literal } from '../../duckdb.ts'
import { Column } from '../column.ts'
import { type ColumnOrName, sqlFor, unary, variadic } from './column-name.ts'

const binary = (name: string) => (first: ColumnOrName, second: ColumnOrName) =>
  new Column(`${name}(${sqlFor(first)}, ${sqlFor(second)})`)

/** Rows of a group, or those where the column is not NULL. SQL: `count(*)`, `count("page")` */
export function count(column: ColumnOrName = '*'): Column {
  return new Column(column === '*' ? 'count(*)' : `count(${sqlFor(column)})`)
}

/** The sum. SQL: `sum("price")` */
export const sum = unary('sum')
/** The average. SQL: `avg("price")` */
export const avg = unary('avg')
/** The same as `avg`. */
export const mean = avg
/** The smallest value. SQL: `min("price")` */
export const min = unary('min')
/** The largest value. SQL: `max("price")` */
export const max = unary('max')

/**
 * In `rollup` and `cube`: 0 where a row's group goes by the column, 1 where the column is left out. Several columns make
 * the bits of one number. SQL: `grouping("page")`
 */
export const grouping = variadic('grouping')

/** Different values that are not NULL; of several columns, combinations without a NULL. */
export function countDistinct(...columns: readonly ColumnOrName[]): Column {
  const [first, ...others] = columns.map(sqlFor)
  if (others.length === 0) return new Column(`count(DISTINCT ${first})`)
  const whole = columns.map((each) => `${sqlFor(each)} IS NOT NULL`).join(' AND ')
  return new Column(`count(DISTINCT row(${[first, ...others].join(', ')})) FILTER (WHERE ${whole})`)
}

/** The sum of the different values. */
export const sumDistinct = (column: ColumnOrName): Column => new Column(`sum(DISTINCT ${sqlFor(column)})`)
/** About how many different values there are, by HyperLogLog. */
export const approxCountDistinct = unary('approx_count_distinct')
/** Any value that is not NULL. */
export const anyValue = unary('any_value')

/** The first value to come, or the first that is not NULL. */
export function first(column: ColumnOrName, ignoreNulls = false): Column {
  return new Column(`${ignoreNulls ? 'any_value' : 'first'}(${sqlFor(column)})`)
}

/** The last value to come, or the last that is not NULL. */
export function last(column: ColumnOrName, ignoreNulls = false): Column {
  const value = sqlFor(column)
  return new Column(`last(${value})${ignoreNulls ? ` FILTER (WHERE ${value} IS NOT NULL)` : ''}`)
}

/** The values as a list, without NULLs; empty where there are none. */
export function collectList(column: ColumnOrName): Column {
  const value = sqlFor(column)
  return new Column(`coalesce(list(${value}) FILTER (WHERE ${value} IS NOT NULL), [])`)
}

/** The different values as a list, without NULLs; empty where there are none. */
export function collectSet(column: ColumnOrName): Column {
  const value = sqlFor(column)
  return new Column(`coalesce(list(DISTINCT ${value}) FILTER (WHERE ${value} IS NOT NULL), [])`)
}

/** The standard deviation of a sample. */
export const stddevSamp = unary('stddev_samp')
/** The same as `stddevSamp`. */
export const stddev = stddevSamp
/** The standard deviation of a population. */
export const stddevPop = unary('stddev_pop')
/** The variance of a sample. */
export const varSamp = unary('var_samp')
/** The same as `varSamp`. */
export const variance = varSamp
/** The variance of a population. */
export const varPop = unary('var_pop')
/** The excess kurtosis of a population. */
export const kurtosis = unary('kurtosis_pop')
/** The correlation of two columns. */
export const corr = (a: ColumnOrName, b: ColumnOrName): Column =>
  new Column(`corr(${sqlFor(a)}, ${sqlFor(b)})`)
/** The covariance of a population. */
export const covarPop = (a: ColumnOrName, b: ColumnOrName): Column =>
  new Column(`covar_pop(${sqlFor(a)}, ${sqlFor(b)})`)
/** The covariance of a sample. */
export const covarSamp = (a: ColumnOrName, b: ColumnOrName): Column =>
  new Column(`covar_samp(${sqlFor(a)}, ${sqlFor(b)})`)
/** The middle value, between two where their number is even. */
export const median = unary('median')
/** The product. */
export const product = unary('product')
/** The bits that all have. */
export const bitAnd = unary('bit_and')
/** The bits that any has. */
export const bitOr = unary('bit_or')
/** The bits that an odd number has. */
export const bitXor = unary('bit_xor')
/** Whether all are true; NULLs are passed over. */
export const boolAnd = unary('bool_and')
/** The same as `boolAnd`. */
export const every = boolAnd
/** Whether any is true; NULLs are passed over. */
export const boolOr = unary('bool_or')
/** The same as `boolOr`. */
export const some = boolOr
/** Rows for which a condition is true. */
export const countIf = (condition: ColumnOrName): Column =>
  new Column(`count(*) FILTER (WHERE ${sqlFor(condition)})`)

/** The value of one column where another is largest. */
export function maxBy(column: ColumnOrName, order: ColumnOrName): Column {
  return new Column(`arg_max(${sqlFor(column)}, ${sqlFor(order)})`)
}

/** The value of one column where another is smallest. */
export function minBy(column: ColumnOrName, order: ColumnOrName): Column {
  return new Column(`arg_min(${sqlFor(column)}, ${sqlFor(order)})`)
}

/** The exact percentile, between two values where it falls there. */
export function percentile(column: ColumnOrName, share: number): Column {
  return new Column(`quantile_cont(${sqlFor(column)}, ${share})`)
}

/** The value at or below which a share of the values lies; exact here. */
export function percentileApprox(column: ColumnOrName, share: number): Column {
  return new Column(`quantile_disc(${sqlFor(column)}, ${share})`)
}

/** The texts as one, without NULLs; NULL where there are none. */
export function stringAgg(column: ColumnOrName, delimiter = ''): Column {
  return new Column(`string_agg(${sqlFor(column)}, ${literal(delimiter)})`)
}

/** The value that comes most often. */
export const mode = unary('mode')
/** Pairs of which neither is NULL. */
export const regrCount = binary('regr_count')
/** The average of `x`, the second column, over pairs of which neither is NULL. */
export const regrAvgx = binary('regr_avgx')
/** The average of `y`, the first column, over pairs of which neither is NULL. */
export const regrAvgy = binary('regr_avgy')
/** The slope of the line through pairs of `y` and `x`. */
export const regrSlope = binary('regr_slope')
/** Where the line through pairs of `y` and `x` meets the axis. */
export const regrIntercept = binary('regr_intercept')
/** How well the line through pairs of `y` and `x` fits, from 0 to 1. */
export const regrR2 = binary('regr_r2')
