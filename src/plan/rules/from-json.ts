import { type DuckType, parseDuckType } from '../../duck-type.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import { type Expression, type FunctionCall, isColumnRef, isFunction, isSelect, type Query } from '../ast.ts'
import { JsonValues } from '../payload/json-value.ts'
import { parseSchemaText } from '../schema-text.ts'
import type { SqlText } from '../sql.ts'
import { rewrite, walk } from '../walk.ts'

/** As in Spark, what `schema_of_json` says can be handed to `from_json`. */
export const SCHEMA_OF_JSON_MACRO = 'CREATE MACRO schema_of_json(x) AS json_structure(x)'

/** Stands for the first argument while the call is text. */
const ARGUMENT = 'json text'

/**
 * `from_json(text, 'a BIGINT, b ARRAY<STRING>')`, as Spark writes it. It reads as strictly as a payload does: a text
 * that is no JSON gives NULL, so does a value that does not fit, and neither fails the query. DuckDB's own form,
 * `from_json(text, '{"a":"BIGINT"}')`, is left alone.
 *
 * @throws SQL_INVALID when the schema is none
 */
export async function fromJson(query: Query, sql: SqlText): Promise<Query> {
  const calls = callsIn(query)
  if (calls.length === 0) return query
  const items = itemsIn(query).filter(
    (item) => item.alias === '' && !isColumnRef(item) && callsIn(item).length > 0,
  )
  const names = await sql.printExpressions(items)
  const nameOf = new Map(items.map((item, index) => [item, names[index] as string]))
  const schemas = [...new Set(calls.map(schemaOf))] as string[]
  const templates = await Promise.all(schemas.map((schema) => template(schema, sql)))
  const templateOf = new Map(schemas.map((schema, index) => [schema, templates[index] as Expression]))
  const expand = <T>(root: T): T =>
    rewrite(root, (node) => {
      // Columns keep the names that the text as it was written gives them.
      const name = nameOf.get(node)
      if (name !== undefined) return { ...expand({ ...node }), alias: name }
      const schema = schemaOf(node)
      if (schema === undefined) return undefined
      const argument = expand((node as FunctionCall).children[0] as Expression)
      return { ...withArgument(templateOf.get(schema) as Expression, argument), alias: node.alias }
    })
  return expand(query)
}

/** The schema of a call in Spark's form; undefined for every other expression. */
function schemaOf(node: Expression): string | undefined {
  if (!isFunction(node) || node.function_name.toLowerCase() !== 'from_json' || node.children.length !== 2)
    return undefined
  const constant = node.children[1]!['value'] as { readonly value?: unknown } | undefined
  const text = typeof constant?.value === 'string' ? constant.value.trim() : undefined
  return text === undefined || /^[{["]/.test(text) ? undefined : text
}

function callsIn(root: unknown): Expression[] {
  const calls: Expression[] = []
  walk(root, (node) => {
    if (schemaOf(node) !== undefined) calls.push(node)
    return undefined
  })
  return calls
}

/** The select lists of a query and of all queries in it. */
function itemsIn(root: unknown): Expression[] {
  if (Array.isArray(root)) return root.flatMap(itemsIn)
  if (typeof root !== 'object' || root === null) return []
  const own = isSelect(root as Query) ? (root as { select_list: readonly Expression[] }).select_list : []
  return [...own, ...Object.values(root).flatMap(itemsIn)]
}

async function template(schema: string, sql: SqlText): Promise<Expression> {
  const value = new JsonValues({ date: undefined, timestamp: undefined }).value(typeOf(schema), 'json')
  const text = `ltrim(CAST("${ARGUMENT}" AS VARCHAR), E' \\t\\n\\r')`
  const parsed = await sql.parse(
    `SELECT list_transform([${text}], lambda json: CASE WHEN json_valid(json) THEN ${value} END)[1]`,
  )
  return (parsed as Query & { readonly select_list: readonly Expression[] }).select_list[0]!
}

function withArgument(template: Expression, argument: Expression): Expression {
  return rewrite(template, (node) =>
    isColumnRef(node) && node.column_names[0] === ARGUMENT ? argument : undefined,
  )
}

/** A struct by its fields, or a whole type: `a INT, b STRING`, `ARRAY<STRUCT<a: INT>>`. */
function typeOf(schema: string): DuckType {
  const type = read(() => parseDuckType(schema)) ?? read(() => structOf(schema))
  const isWhole = type?.kind === 'struct' || type?.kind === 'list' || type?.kind === 'map'
  if (type && isWhole && JsonValues.takes(type)) return type
  const reason = `from_json cannot read the schema '${schema}'; give one such as 'a BIGINT, b ARRAY<STRING>'`
  throw new SluiceError('SQL_INVALID', { reason })
}

function structOf(schema: string): DuckType {
  const fields = Object.entries(parseSchemaText(schema)).map(([name, type]) => ({
    name,
    type: parseDuckType(type),
  }))
  return { kind: 'struct', fields }
}

function read(parse: () => DuckType): DuckType | undefined {
  try {
    return parse()
  } catch (error) {
    if (hasCode(error, 'TYPE_UNKNOWN')) return undefined
    throw error
  }
}
