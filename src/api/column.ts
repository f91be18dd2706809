import { literal, quoted } from '../duckdb.ts'

/** What may stand where a column is expected: a `Column`, or a plain value that becomes a literal. */
export type Operand = Column | string | number | bigint | boolean | Date | null

/**
 * An expression over the columns of a DataFrame. A column is DuckDB SQL that is put together here and parsed with
 * the query it ends up in, so `col('a').gt(1)` and the text `a > 1` are the same tree.
 */
export class Column {
  /** DuckDB SQL without a name: `("price" * 2)`. */
  readonly sql: string
  /** The name given with `as`, if any. */
  readonly name: string | undefined

  constructor(sql: string, name?: string) {
    this.sql = sql
    this.name = name
    Object.freeze(this)
  }

  /** `price AS cost` */
  as(name: string): Column {
    return new Column(this.sql, name)
  }

  /** The same as `as`. */
  alias(name: string): Column {
    return this.as(name)
  }

  /** `a = b`; NULL when either is NULL. */
  equalTo(other: Operand): Column {
    return binary(this, '=', other)
  }

  /** `a <> b` */
  notEqual(other: Operand): Column {
    return binary(this, '<>', other)
  }

  /** `a IS NOT DISTINCT FROM b`: like `=`, but NULL equals NULL. */
  eqNullSafe(other: Operand): Column {
    return binary(this, 'IS NOT DISTINCT FROM', other)
  }

  /** `a > b` */
  gt(other: Operand): Column {
    return binary(this, '>', other)
  }

  /** `a >= b` */
  geq(other: Operand): Column {
    return binary(this, '>=', other)
  }

  /** `a < b` */
  lt(other: Operand): Column {
    return binary(this, '<', other)
  }

  /** `a <= b` */
  leq(other: Operand): Column {
    return binary(this, '<=', other)
  }

  /** `a BETWEEN low AND high`, both included. */
  between(low: Operand, high: Operand): Column {
    return new Column(`(${this.sql} BETWEEN ${sqlOf(low)} AND ${sqlOf(high)})`)
  }

  /** `a IN (x, y, …)` */
  isin(...values: readonly Operand[]): Column {
    return new Column(`(${this.sql} IN (${values.map(sqlOf).join(', ')}))`)
  }

  /** `a IS NULL` */
  isNull(): Column {
    return new Column(`(${this.sql} IS NULL)`)
  }

  /** `a IS NOT NULL` */
  isNotNull(): Column {
    return new Column(`(${this.sql} IS NOT NULL)`)
  }

  /** `a AND b` */
  and(other: Operand): Column {
    return binary(this, 'AND', other)
  }

  /** `a OR b` */
  or(other: Operand): Column {
    return binary(this, 'OR', other)
  }

  /** `NOT a` */
  not(): Column {
    return new Column(`(NOT ${this.sql})`)
  }

  /** `a + b` */
  plus(other: Operand): Column {
    return binary(this, '+', other)
  }

  /** `a - b` */
  minus(other: Operand): Column {
    return binary(this, '-', other)
  }

  /** `a * b` */
  multiply(other: Operand): Column {
    return binary(this, '*', other)
  }

  /** `a / b`, always a fraction: `7 / 2` is `3.5`; NULL for a divisor of 0. */
  divide(other: Operand): Column {
    return binary(this, '/', notZero(other))
  }

  /** `a % b`, with the sign of a; NULL for a divisor of 0. */
  mod(other: Operand): Column {
    return binary(this, '%', notZero(other))
  }

  /** `a & b` */
  bitwiseAND(other: Operand): Column {
    return binary(this, '&', other)
  }

  /** `a | b` */
  bitwiseOR(other: Operand): Column {
    return binary(this, '|', other)
  }

  /** `xor(a, b)` */
  bitwiseXOR(other: Operand): Column {
    return new Column(`xor(${this.sql}, ${sqlOf(other)})`)
  }

  /** `a LIKE pattern`, with `%` and `_`, which a `\\` before them makes plain. */
  like(pattern: string): Column {
    return matching(this, 'LIKE', pattern)
  }

  /** Like `like`, capitals or not. */
  ilike(pattern: string): Column {
    return matching(this, 'ILIKE', pattern)
  }

  /** `size` characters from `start`, which counts from 1, or from the end where it is negative. */
  substr(start: number, size: number): Column {
    return substring(this, start, size)
  }

  /** Whether a number is NaN; false for NULL. */
  isNaN(): Column {
    return new Column(`coalesce(isnan(${this.sql}), false)`)
  }

  /** Whether a regular expression matches anywhere in the text: `regexp_matches(a, pattern)`. */
  rlike(pattern: string): Column {
    return new Column(`regexp_matches(${this.sql}, ${literal(pattern)})`)
  }

  /** `starts_with(a, b)` */
  startsWith(prefix: Operand): Column {
    return new Column(`starts_with(${this.sql}, ${sqlOf(prefix)})`)
  }

  /** `ends_with(a, b)` */
  endsWith(suffix: Operand): Column {
    return new Column(`ends_with(${this.sql}, ${sqlOf(suffix)})`)
  }

  /** `contains(a, b)` */
  contains(part: Operand): Column {
    return new Column(`contains(${this.sql}, ${sqlOf(part)})`)
  }

  /** `CAST(a AS type)`. A payload cast to STRING is its UTF-8 text. */
  cast(type: string): Column {
    return new Column(`CAST(${this.sql} AS ${type})`)
  }

  /** As `cast`, but NULL where a value does not fit. */
  tryCast(type: string): Column {
    return new Column(`TRY_CAST(${this.sql} AS ${type})`)
  }

  /** A field of a struct: `(a)."name"`. */
  getField(name: string): Column {
    return new Column(`(${this.sql}).${quoted(name)}`)
  }

  /** A struct with a field more, or with another value in it. */
  withField(name: string, value: Operand): Column {
    return new Column(
      `CASE WHEN ${this.sql} IS NOT NULL THEN struct_update(${this.sql}, ${quoted(name)} := ${sqlOf(value)}) END`,
    )
  }

  /** An item of a list, from 0 as in Spark, or the value of a map's key. */
  getItem(key: number | string): Column {
    if (typeof key === 'number' && key < 0) return new Column('NULL')
    return new Column(
      typeof key === 'number' ? `(${this.sql})[${key + 1}]` : `(${this.sql})[${literal(key)}]`,
    )
  }

  /** Smallest first and NULLs before them, for `orderBy`. */
  asc(): Column {
    return this.ascNullsFirst()
  }

  /** Largest first and NULLs after them, as is the default of DuckDB too, for `orderBy`. */
  desc(): Column {
    return new Column(`${this.sql} DESC`)
  }

  /** Smallest first, after the NULLs. */
  ascNullsFirst(): Column {
    return new Column(`${this.sql} ASC NULLS FIRST`)
  }

  /** Smallest first, before the NULLs. */
  ascNullsLast(): Column {
    return new Column(`${this.sql} ASC NULLS LAST`)
  }

  /** Largest first, after the NULLs. */
  descNullsFirst(): Column {
    return new Column(`${this.sql} DESC NULLS FIRST`)
  }

  /** Largest first, before the NULLs. */
  descNullsLast(): Column {
    return new Column(`${this.sql} DESC NULLS LAST`)
  }
}

/** An item of ORDER BY; without a direction of its own, Spark's default. */
export function orderOf(column: Column): string {
  return /\b(?:ASC|DESC)(?:\s+NULLS\s+(?:FIRST|LAST))?$/i.test(column.sql) ? column.sql : column.asc().sql
}

/** A value as DuckDB SQL: columns as they are, everything else as a literal. */
export function sqlOf(operand: Operand): string {
  if (operand instanceof Column) return operand.sql
  if (operand === null) return 'NULL'
  if (operand instanceof Date)
    return `TIMESTAMP ${literal(operand.toISOString().replace('T', ' ').replace('Z', ''))}`
  if (typeof operand === 'string') return literal(operand)
  if (typeof operand === 'number') return numberSql(operand)
  return String(operand)
}

/** An item of a select list: `expression AS "name"`. */
export function itemOf(column: Column): string {
  return column.name === undefined ? column.sql : `${column.sql} AS ${quoted(column.name)}`
}

function binary(left: Column, operator: string, right: Operand): Column {
  return new Column(`(${left.sql} ${operator} ${sqlOf(right)})`)
}

/** DuckDB answers a division of fractions by 0 with infinity, Spark with NULL. */
function notZero(divisor: Operand): Operand {
  const isSafe = (typeof divisor === 'number' || typeof divisor === 'bigint') && Number(divisor) !== 0
  return isSafe ? divisor : new Column(`nullif(${sqlOf(divisor)}, 0)`)
}

function matching(column: Column, operator: string, pattern: string): Column {
  const plain = pattern.includes('\\') ? ` ESCAPE ${literal('\\')}` : ''
  return new Column(`(${column.sql} ${operator} ${literal(pattern)}${plain})`)
}

/** Spark's positions: 0 is 1, and what lies before the beginning counts. */
function substring({ sql }: Column, start: number, size: number): Column {
  if (start >= 0) return new Column(`substring(${sql}, ${Math.max(start, 1)}, ${Math.max(size, 0)})`)
  const first = `(length(${sql}) - ${-start})`
  const taken = `greatest(${size} + least(${first}, 0), 0)`
  return new Column(`substring(${sql}, greatest(${first}, 0) + 1, ${taken})`)
}

function numberSql(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return `${literal(Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf')}::DOUBLE`
}
