import { Column, type Operand, sqlOf } from '../column.ts'
import { type ColumnOrName, sqlFor, unary } from './column-name.ts'

/** The value without its sign. SQL: `abs("n")` */
export const abs = unary('abs')
/** The cube root. */
export const cbrt = unary('cbrt')
/** e to the power of the number. */
export const exp = unary('exp')
/** The sine of radians. */
export const sin = unary('sin')
/** The cosine of radians. */
export const cos = unary('cos')
/** The tangent of radians. */
export const tan = unary('tan')
/** The inverse of `tan`. */
export const atan = unary('atan')
/** The hyperbolic sine. */
export const sinh = unary('sinh')
/** The hyperbolic cosine. */
export const cosh = unary('cosh')
/** The hyperbolic tangent. */
export const tanh = unary('tanh')
/** Radians in degrees. */
export const degrees = unary('degrees')
/** Degrees in radians. */
export const radians = unary('radians')
/** A whole number in binary digits. */
export const bin = unary('bin')

const NAN = "'nan'::DOUBLE"
const within = (name: string, condition: (x: string) => string) => (column: ColumnOrName) => {
  const x = sqlFor(column)
  return new Column(`CASE WHEN ${condition(x)} THEN ${name}(${x}) WHEN ${x} IS NOT NULL THEN ${NAN} END`)
}

/** The square root; NaN of a negative number. */
export const sqrt = within('sqrt', (x) => `${x} >= 0`)
/** The inverse of `sin`; NaN outside of -1 to 1. */
export const asin = within('asin', (x) => `${x} BETWEEN -1 AND 1`)
/** The inverse of `cos`; NaN outside of -1 to 1. */
export const acos = within('acos', (x) => `${x} BETWEEN -1 AND 1`)

const logarithm = (of: (x: string) => string) => (column: ColumnOrName) => {
  const x = sqlFor(column)
  return new Column(`CASE WHEN ${x} > 0 THEN ${of(x)} END`)
}

/** The natural logarithm; NULL of what has none. */
export const ln = logarithm((x) => `ln(${x})`)
/** The logarithm to base 2; NULL of what has none. */
export const log2 = logarithm((x) => `log2(${x})`)
/** The logarithm to base 10; NULL of what has none. */
export const log10 = logarithm((x) => `log10(${x})`)

/** The natural logarithm, or with two arguments that of the second to the base of the first. */
export function log(baseOrColumn: number | ColumnOrName, column?: ColumnOrName): Column {
  if (column === undefined) return ln(baseOrColumn as ColumnOrName)
  const base = typeof baseOrColumn === 'number' ? String(baseOrColumn) : sqlFor(baseOrColumn)
  const x = sqlFor(column)
  return new Column(`CASE WHEN ${x} > 0 AND ${base} > 0 THEN ln(${x}) / ln(${base}) END`)
}

/** The angle of a point, y first. */
export function atan2(y: ColumnOrName, x: ColumnOrName): Column {
  return new Column(`atan2(${sqlFor(y)}, ${sqlFor(x)})`)
}

/** The distance of a point from the origin. */
export function hypot(x: ColumnOrName, y: ColumnOrName): Column {
  return new Column(`sqrt(pow(${sqlFor(x)}, 2) + pow(${sqlFor(y)}, 2))`)
}

/** A number to the power of another. */
export function pow(column: ColumnOrName, exponent: Operand): Column {
  return new Column(`pow(${sqlFor(column)}, ${sqlOf(exponent)})`)
}
/** The same as `pow`. */
export const power = pow

/** The least whole number that is not smaller, as BIGINT; NULL beyond that. */
export const ceil = (column: ColumnOrName): Column =>
  new Column(`TRY_CAST(ceil(${sqlFor(column)}) AS BIGINT)`)
/** The same as `ceil`. */
export const ceiling = ceil
/** The greatest whole number that is not larger, as BIGINT; NULL beyond that. */
export const floor = (column: ColumnOrName): Column =>
  new Column(`TRY_CAST(floor(${sqlFor(column)}) AS BIGINT)`)

/** To so many digits behind the point; a half goes away from zero. */
export function round(column: ColumnOrName, digits = 0): Column {
  return new Column(`round(${sqlFor(column)}, ${Math.trunc(digits)})`)
}

/** To so many digits behind the point; a half goes to the even neighbour. */
export function bround(column: ColumnOrName, digits = 0): Column {
  return new Column(`round_even(${sqlFor(column)}, ${Math.trunc(digits)})`)
}

/** To the nearest whole number as DOUBLE; a half goes to the even neighbour. */
export const rint = (column: ColumnOrName): Column =>
  new Column(`round_even(CAST(${sqlFor(column)} AS DOUBLE), 0)`)
/** -1.0, 0.0 or 1.0. */
export const signum = (column: ColumnOrName): Column => new Column(`CAST(sign(${sqlFor(column)}) AS DOUBLE)`)
/** The same as `signum`. */
export const sign = signum
/** The number with the other sign. */
export const negate = (column: ColumnOrName): Column => new Column(`(-${sqlFor(column)})`)

/** 1 × 2 × … × n; NULL below 0 and above 20. */
export function factorial(column: ColumnOrName): Column {
  const n = sqlFor(column)
  return new Column(
    `CASE WHEN ${n} BETWEEN 0 AND 20 THEN CAST(factorial(CAST(${n} AS INTEGER)) AS BIGINT) END`,
  )
}

/** The remainder that is never negative for a positive divisor; NULL for 0. */
export function pmod(dividend: ColumnOrName, divisor: Operand): Column {
  const [n, m] = [sqlFor(dividend), `nullif(${sqlOf(divisor)}, 0)`]
  return new Column(`((${n} % ${m} + ${m}) % ${m})`)
}

/** The bits turned over. */
export const bitwiseNot = (column: ColumnOrName): Column => new Column(`(~${sqlFor(column)})`)
/** e. */
export const e = (): Column => new Column('exp(1)')
/** π. */
export const pi = (): Column => new Column('pi()')
