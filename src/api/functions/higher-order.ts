import { quoted } from '../../duckdb.ts'
import { Column, type Operand, sqlOf } from '../column.ts'
import { ITEM } from './collection.ts'
import { type ColumnOrName, sqlFor } from './column-name.ts'

/** A list of what a function makes of every item: `transform('xs', (x) => x.plus(1))`. */
export function transform(column: ColumnOrName, each: (item: Column) => Column): Column {
  return new Column(`list_transform(${sqlFor(column)}, ${lambda(each)})`)
}

/** The items for which a condition is true. */
export function filter(column: ColumnOrName, condition: (item: Column) => Column): Column {
  return new Column(`list_filter(${sqlFor(column)}, ${lambda(condition)})`)
}

/** Whether a condition is true of any item; NULL where it is of none, but NULL of some. */
export function exists(column: ColumnOrName, condition: (item: Column) => Column): Column {
  const list = sqlFor(column)
  const some = `len(list_filter(${list}, ${lambda(condition)})) > 0`
  const unsure = `len(list_filter(${list}, ${lambda((item) => condition(item).isNull())})) = 0`
  return new Column(`CASE WHEN ${some} THEN true WHEN ${unsure} THEN false END`)
}

/** Whether a condition is true of every item; NULL where it is false of none, but NULL of some. */
export function forall(column: ColumnOrName, condition: (item: Column) => Column): Column {
  return exists(column, (item) => condition(item).not()).not()
}

/** What a function makes of the items at the same place of two lists; of NULL where one is shorter. */
export function zipWith(
  first: ColumnOrName,
  second: ColumnOrName,
  each: (first: Column, second: Column) => Column,
): Column {
  const [a, b] = [sqlFor(first), sqlFor(second)]
  const places = `range(1, greatest(len(${a}), len(${b})) + 1)`
  const at = lambda((i) => each(new Column(`(${a})[${i.sql}]`), new Column(`(${b})[${i.sql}]`)))
  return new Column(
    `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN list_transform(${places}, ${at}) END`,
  )
}

/**
 * All items of a list in one value: what `merge` makes of `initial` and the first item, of that and the second, and so
 * on; and what `finish` makes of the last, if it is given.
 */
export function aggregate(
  column: ColumnOrName,
  initial: Operand,
  merge: (sofar: Column, item: Column) => Column,
  finish: (sofar: Column) => Column = (sofar) => sofar,
): Column {
  const [list, start] = [sqlFor(column), sqlOf(initial)]
  // DuckDB reduces items of one type: each is packed with a value of the result's.
  const packed = `list_transform(${list}, lambda ${ITEM}: {'sofar': ${start}, 'item': ${ITEM}})`
  const [a, b] = freshNames((x, y) => merge(field(x, 'sofar'), field(y, 'item')), 2) as [string, string]
  const merged = merge(field(a, 'sofar'), field(b, 'item')).sql
  const all = `list_concat([{'sofar': ${start}, 'item': NULL}], ${packed})`
  const last = `list_reduce(${all}, lambda ${a}, ${b}: {'sofar': ${merged}, 'item': ${b}.item}).sofar`
  return new Column(`CASE WHEN ${list} IS NOT NULL THEN ${finish(new Column(last)).sql} END`)
}

const field = (struct: string, name: string): Column => new Column(`${struct}.${name}`)

/** The entries of a map for which a condition on key and value is true. */
export function mapFilter(column: ColumnOrName, condition: (key: Column, value: Column) => Column): Column {
  return new Column(
    `map_from_entries(list_filter(map_entries(${sqlFor(column)}), ${entryLambda((key, value) => condition(key, value).sql)}))`,
  )
}

/** A map with keys that a function makes of every key and value. */
export function transformKeys(column: ColumnOrName, each: (key: Column, value: Column) => Column): Column {
  return mappedEntries(column, (key, value) => [each(key, value), value])
}

/** A map with values that a function makes of every key and value. */
export function transformValues(column: ColumnOrName, each: (key: Column, value: Column) => Column): Column {
  return mappedEntries(column, (key, value) => [key, each(key, value)])
}

function mappedEntries(
  column: ColumnOrName,
  each: (key: Column, value: Column) => readonly [Column, Column],
): Column {
  const entry = entryLambda((key, value) => {
    const [k, v] = each(key, value)
    return `{'key': ${k.sql}, 'value': ${v.sql}}`
  })
  return new Column(`map_from_entries(list_transform(map_entries(${sqlFor(column)}), ${entry}))`)
}

function entryLambda(body: (key: Column, value: Column) => string): string {
  return lambda((entry) => new Column(body(entry.getField('key'), entry.getField('value'))))
}

/** `lambda x: …`, by a name that no lambda within takes. */
function lambda(body: (item: Column) => Column): string {
  const [name] = freshNames((x) => body(new Column(x)), 1) as [string]
  return `lambda ${name}: ${body(new Column(name)).sql}`
}

/** Names of parameters that no lambda within `body` takes. */
function freshNames(body: (...names: readonly string[]) => Column, count: number): readonly string[] {
  for (let depth = 0; ; depth++) {
    const names = Array.from({ length: count }, (_, i) => quoted(`item of the list${depth + i || ''}`))
    const { sql } = body(...names)
    if (!names.some((name) => new RegExp(`lambda [^:]*${name}[,:]`).test(sql))) return names
  }
}
