import { literal } from '../../duckdb.ts'
import { Column } from '../column.ts'
import { type ColumnOrName, sqlFor } from './column-name.ts'

const guarded = (
  column: ColumnOrName,
  condition: (json: string) => string,
  call: (json: string) => string,
) => {
  const json = sqlFor(column)
  return new Column(`CASE WHEN ${condition(json)} THEN ${call(json)} END`)
}
const isOf = (type: string) => (json: string) =>
  `CASE WHEN json_valid(${json}) THEN json_type(${json}) = '${type}' ELSE false END`

/** What is at a path such as `$.a[0].b` of a JSON text, as text; NULL where there is nothing, or no JSON. */
export function getJsonObject(column: ColumnOrName, path: string): Column {
  return guarded(
    column,
    (json) => `json_valid(${json})`,
    (json) => `json_extract_string(${json}, ${literal(path)})`,
  )
}

/** A JSON text by a schema such as `a INT, b ARRAY<STRING>`, read as strictly as a payload; NULL where it does not fit. */
export function fromJson(column: ColumnOrName, schema: string): Column {
  return new Column(`from_json(${sqlFor(column)}, ${literal(schema)})`)
}

/** The schema of a JSON text, as DuckDB writes it. */
export const schemaOfJson = (column: ColumnOrName): Column => new Column(`schema_of_json(${sqlFor(column)})`)

/** Items of a JSON array; NULL of anything else. */
export const jsonArrayLength = (column: ColumnOrName): Column =>
  guarded(column, isOf('ARRAY'), (json) => `json_array_length(${json})`)

/** The keys of a JSON object; NULL of anything else. */
export const jsonObjectKeys = (column: ColumnOrName): Column =>
  guarded(column, isOf('OBJECT'), (json) => `json_keys(${json})`)

/**
 * A struct, list or map as JSON text, without the fields of structs that are NULL; those in a list stay. Times are
 * written as DuckDB does, `2026-01-31 12:00:00`.
 */
export const toJson = (column: ColumnOrName): Column => {
  const json = `to_json(${sqlFor(column)})`
  return new Column(
    `CASE WHEN ${sqlFor(column)} IS NULL THEN NULL WHEN json_type(${json}) = 'OBJECT' THEN json_merge_patch('{}', ${json})::VARCHAR ELSE ${json}::VARCHAR END`,
  )
}
