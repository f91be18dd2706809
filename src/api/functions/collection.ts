import { literal, quoted } from '../../duckdb.ts'
import { Column, type Operand, sqlOf } from '../column.ts'
import { type ColumnOrName, columnOf, sqlFor, unary, variadic } from './column-name.ts'

/** Parameters of lambdas, by names that no column has. */
export const ITEM = quoted('item of a list')
const PLACE = quoted('place in a list')

/** One row an item of a list. SQL: `unnest("words")` */
export const explode = unary('unnest')
/** One row an item of a list, and one of NULL where there is none. SQL: `unnest(CASE WHEN len("words") > 0 THEN "words" ELSE [NULL] END)` */
export function explodeOuter(column: ColumnOrName): Column {
  const list = sqlFor(column)
  return new Column(`unnest(CASE WHEN len(${list}) > 0 THEN ${list} ELSE [NULL] END)`)
}

/** One row an item of a list, as two columns: `pos`, its place from 0, and `col`. */
export function posexplode(column: ColumnOrName): Column {
  const items = `list_transform(${sqlFor(column)}, lambda x, i: {'pos': i - 1, 'col': x})`
  return new Column(`unnest(${items}, max_depth := 2)`)
}

/** A list of columns. */
export const array = variadic('list_value')
/** Items of a list. */
export const size = unary('len')
/** The same as `size`. */
export const arraySize = size
/** The smallest item; NULLs are passed over. */
export const arrayMin = unary('list_min')
/** The largest item; NULLs are passed over. */
export const arrayMax = unary('list_max')
/** The keys of a map. */
export const mapKeys = unary('map_keys')
/** The values of a map. */
export const mapValues = unary('map_values')
/** The entries of a map as structs of `key` and `value`. */
export const mapEntries = unary('map_entries')

/** A struct of columns. SQL: `struct_pack("a" := "a")` */
export function struct(...columns: readonly ColumnOrName[]): Column {
  const fields = columns.map((column) => {
    const { sql, name } = columnOf(column)
    return `${quoted(name ?? (typeof column === 'string' ? column : sql))} := ${sql}`
  })
  return new Column(`struct_pack(${fields.join(', ')})`)
}

/** A map of keys and values in turn: `createMap(lit('a'), col('x'), lit('b'), col('y'))`. */
export function createMap(...columns: readonly ColumnOrName[]): Column {
  const every = (rest: number) =>
    columns
      .filter((_, index) => index % 2 === rest)
      .map(sqlFor)
      .join(', ')
  return new Column(`map([${every(0)}], [${every(1)}])`)
}

/** A map of a list of keys and a list of values. */
export function mapFromArrays(keys: ColumnOrName, values: ColumnOrName): Column {
  return new Column(`map(${sqlFor(keys)}, ${sqlFor(values)})`)
}

/** A map of a list of structs of a key and a value. */
export const mapFromEntries = unary('map_from_entries')

/** Whether a map has a key. */
export function mapContainsKey(column: ColumnOrName, key: Operand): Column {
  return new Column(`list_contains(map_keys(${sqlFor(column)}), ${sqlOf(key)})`)
}

const nullsOf = (list: string): string => `len(list_filter(${list}, lambda x: x IS NULL))`

/** Whether a list has a value; NULL where it has not, but NULLs that might be it. */
export function arrayContains(column: ColumnOrName, value: Operand): Column {
  const [list, item] = [sqlFor(column), sqlOf(value)]
  return new Column(
    `CASE WHEN ${item} IS NULL THEN NULL WHEN list_contains(${list}, ${item}) THEN true WHEN ${nullsOf(list)} = 0 THEN false END`,
  )
}

/** Where a value stands first in a list, from 1; 0 where it is not. */
export function arrayPosition(column: ColumnOrName, value: Operand): Column {
  const [list, item] = [sqlFor(column), sqlOf(value)]
  return new Column(
    `CASE WHEN ${list} IS NOT NULL AND ${item} IS NOT NULL THEN coalesce(list_position(${list}, ${item}), 0) END`,
  )
}

/** The item at a place from 1, from the end where it is negative, or the value of a map's key; NULL where there is none. */
export function elementAt(column: ColumnOrName, key: Operand): Column {
  return new Column(`(${sqlFor(column)})[${sqlOf(key)}]`)
}

/** The item at a place from 0; NULL where there is none. */
export function get(column: ColumnOrName, index: Operand): Column {
  const place = sqlOf(index)
  return new Column(`CASE WHEN ${place} >= 0 THEN (${sqlFor(column)})[${place} + 1] END`)
}

/** `count` items from `start` on, which counts from 1, or from the end where it is negative. */
export function slice(column: ColumnOrName, start: number, count: number): Column {
  const last = start + count - 1
  const end = start < 0 && last >= -1 ? -1 : last
  const list = sqlFor(column)
  return new Column(count <= 0 ? `list_slice(${list}, 1, 0)` : `list_slice(${list}, ${start}, ${end})`)
}

/** Every item once, NULL too, where it stands first. */
export function arrayDistinct(column: ColumnOrName): Column {
  const list = sqlFor(column)
  return new Column(
    `list_filter(${list}, lambda ${ITEM}, ${PLACE}: list_position(${list}, ${ITEM}) = ${PLACE})`,
  )
}

const bothThere = (a: string, b: string, value: string): Column =>
  new Column(`CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN ${value} END`)

/** The items of both lists, every one once, NULL too. */
export function arrayUnion(first: ColumnOrName, second: ColumnOrName): Column {
  const [a, b] = [sqlFor(first), sqlFor(second)]
  return bothThere(a, b, arrayDistinct(new Column(`list_concat(${a}, ${b})`)).sql)
}

/** The items that both lists have, every one once, NULL too. */
export function arrayIntersect(first: ColumnOrName, second: ColumnOrName): Column {
  const [a, b] = [sqlFor(first), sqlFor(second)]
  return bothThere(a, b, onceWhere(a, `list_position(${b}, ${ITEM}) IS NOT NULL`))
}

/** The items that only the first list has, every one once, NULL too. */
export function arrayExcept(first: ColumnOrName, second: ColumnOrName): Column {
  const [a, b] = [sqlFor(first), sqlFor(second)]
  return bothThere(a, b, onceWhere(a, `list_position(${b}, ${ITEM}) IS NULL`))
}

const onceWhere = (list: string, condition: string): string =>
  `list_filter(${list}, lambda ${ITEM}, ${PLACE}: list_position(${list}, ${ITEM}) = ${PLACE} AND ${condition})`

/** Whether two lists have an item in common; NULL where they have none, but NULLs that might be one. */
export function arraysOverlap(first: ColumnOrName, second: ColumnOrName): Column {
  const [a, b] = [sqlFor(first), sqlFor(second)]
  const common = `len(list_filter(${a}, lambda ${ITEM}: ${ITEM} IS NOT NULL AND list_contains(${b}, ${ITEM}))) > 0`
  const unsure = `len(${a}) > 0 AND len(${b}) > 0 AND ${nullsOf(a)} + ${nullsOf(b)} > 0`
  return bothThere(a, b, `CASE WHEN ${common} THEN true WHEN ${unsure} THEN NULL ELSE false END`)
}

/** A list without its NULLs. */
export function arrayCompact(column: ColumnOrName): Column {
  return new Column(`list_filter(${sqlFor(column)}, lambda x: x IS NOT NULL)`)
}

/** Structs of the items at the same place of several lists, by the names of the columns; NULL where a list is shorter. */
export function arraysZip(...columns: readonly ColumnOrName[]): Column {
  const lists = columns.map(sqlFor)
  const fields = columns.map((column, index) => {
    const name = typeof column === 'string' ? column : (column.name ?? String(index))
    return `${quoted(name)} := (${lists[index]})[${PLACE}]`
  })
  const longest = `greatest(${lists.map((list) => `len(${list})`).join(', ')})`
  const areThere = lists.map((list) => `${list} IS NOT NULL`).join(' AND ')
  return new Column(
    `CASE WHEN ${areThere} THEN list_transform(range(1, ${longest} + 1), lambda ${PLACE}: struct_pack(${fields.join(', ')})) END`,
  )
}

/** Without the items that equal a value. */
export function arrayRemove(column: ColumnOrName, value: Operand): Column {
  const item = sqlOf(value)
  return new Column(
    `CASE WHEN ${item} IS NOT NULL THEN list_filter(${sqlFor(column)}, lambda ${ITEM}: ${ITEM} IS DISTINCT FROM ${item}) END`,
  )
}

/** With a value at the end. */
export function arrayAppend(column: ColumnOrName, value: Operand): Column {
  const list = sqlFor(column)
  return new Column(`CASE WHEN ${list} IS NOT NULL THEN list_append(${list}, ${sqlOf(value)}) END`)
}

/** With a value at the beginning. */
export function arrayPrepend(column: ColumnOrName, value: Operand): Column {
  const list = sqlFor(column)
  return new Column(`CASE WHEN ${list} IS NOT NULL THEN list_prepend(${sqlOf(value)}, ${list}) END`)
}

/** The items as one text; NULLs are passed over, or are the text given for them. */
export function arrayJoin(column: ColumnOrName, delimiter: string, nullText?: string): Column {
  const list = sqlFor(column)
  const items =
    nullText === undefined ? list : `list_transform(${list}, lambda x: coalesce(x, ${literal(nullText)}))`
  return new Column(`array_to_string(${items}, ${literal(delimiter)})`)
}

/** Smallest first, NULLs last. */
export function arraySort(column: ColumnOrName): Column {
  return new Column(`list_sort(${sqlFor(column)}, 'ASC', 'NULLS LAST')`)
}

/** Smallest first and NULLs before them, or the other way round. */
export function sortArray(column: ColumnOrName, ascending = true): Column {
  const order = ascending ? "'ASC', 'NULLS FIRST'" : "'DESC', 'NULLS LAST'"
  return new Column(`list_sort(${sqlFor(column)}, ${order})`)
}

/** A value so many times. */
export function arrayRepeat(column: ColumnOrName, count: Operand): Column {
  return new Column(`list_transform(range(greatest(${sqlOf(count)}, 0)), lambda ${PLACE}: ${sqlFor(column)})`)
}

/** Numbers from `start` to `stop`, both included, by 1 or -1 unless told. */
export function sequence(start: ColumnOrName, stop: ColumnOrName, step?: ColumnOrName): Column {
  const [from, to] = [sqlFor(start), sqlFor(stop)]
  const by = step === undefined ? `CASE WHEN ${from} <= ${to} THEN 1 ELSE -1 END` : sqlFor(step)
  return new Column(`generate_series(${from}, ${to}, ${by})`)
}

/** A list of lists as one list; NULL where one of them is. */
export function flatten(column: ColumnOrName): Column {
  const list = sqlFor(column)
  return new Column(`CASE WHEN ${nullsOf(list)} = 0 THEN flatten(${list}) END`)
}
