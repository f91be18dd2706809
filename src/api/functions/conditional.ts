import { Column, type Operand, sqlOf } from '../column.ts'
import { type ColumnOrName, sqlFor, variadic } from './column-name.ts'

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

/** The first that is not NULL. SQL: `coalesce("a", "b")` */
export const coalesce = variadic('coalesce')
/** `a`, or `b` where a is NULL. */
export const ifnull = (a: ColumnOrName, b: ColumnOrName): Column => coalesce(a, b)
/** The same as `ifnull`. */
export const nvl = ifnull

/** `b` where a is not NULL, else `c`. */
export function nvl2(a: ColumnOrName, b: ColumnOrName, c: ColumnOrName): Column {
  return new Column(`CASE WHEN ${sqlFor(a)} IS NOT NULL THEN ${sqlFor(b)} ELSE ${sqlFor(c)} END`)
}

/** NULL where a equals b, else a. */
export function nullif(a: ColumnOrName, b: ColumnOrName): Column {
  return new Column(`nullif(${sqlFor(a)}, ${sqlFor(b)})`)
}

/** `b` where a is NaN, else a. */
export function nanvl(a: ColumnOrName, b: ColumnOrName): Column {
  return new Column(`CASE WHEN isnan(${sqlFor(a)}) THEN ${sqlFor(b)} ELSE ${sqlFor(a)} END`)
}

/** Whether the value is NULL. */
export const isnull = (column: ColumnOrName): Column => new Column(`(${sqlFor(column)} IS NULL)`)
/** Whether the value is not NULL. */
export const isnotnull = (column: ColumnOrName): Column => new Column(`(${sqlFor(column)} IS NOT NULL)`)
/** Whether a number is NaN; false for NULL. */
export const isnan = (column: ColumnOrName): Column => new Column(`coalesce(isnan(${sqlFor(column)}), false)`)
/** The largest of several columns; NULLs are passed over. */
export const greatest = variadic('greatest')
/** The smallest of several columns; NULLs are passed over. */
export const least = variadic('least')
