/**
 * The part of DuckDB's parse tree (`json_serialize_sql`) that the engine looks into. Everything else passes
 * through untouched. The format is not promised stable: DuckDB is pinned, and `test/plan/ast.test.ts` holds the
 * shapes below against the pinned version.
 */

interface Json {
  readonly [key: string]: unknown
}

/** Any expression. `alias` is empty when the text gave none. */
export interface Expression extends Json {
  readonly class: string
  readonly type: string
  readonly alias: string
}

export interface ColumnRef extends Expression {
  readonly class: 'COLUMN_REF'
  readonly column_names: readonly string[]
}

export interface FunctionCall extends Expression {
  readonly class: 'FUNCTION'
  readonly function_name: string
  readonly children: readonly Expression[]
  readonly filter: Expression | null
  readonly order_bys: { readonly type: string; readonly orders: readonly unknown[] }
  readonly distinct: boolean
  readonly is_operator: boolean
  readonly export_state: boolean
}

export interface Cast extends Expression {
  readonly class: 'CAST'
  readonly child: Expression
  readonly cast_type: { readonly id: string; readonly type_info: unknown }
  readonly try_cast: boolean
}

export interface SubqueryExpression extends Expression {
  readonly class: 'SUBQUERY'
  readonly subquery: Statement
}

/** What stands behind FROM. */
export interface TableRef extends Json {
  readonly type: string
  readonly alias: string
  readonly sample: unknown
}

export interface BaseTable extends TableRef {
  readonly type: 'BASE_TABLE'
  readonly schema_name: string
  readonly catalog_name: string
  readonly table_name: string
  readonly column_name_alias: readonly string[]
}

export interface SubqueryRef extends TableRef {
  readonly type: 'SUBQUERY'
  readonly subquery: Statement
  readonly column_name_alias: readonly string[]
}

export interface JoinRef extends TableRef {
  readonly type: 'JOIN'
  readonly left: TableRef
  readonly right: TableRef
  readonly condition: Expression | null
  readonly join_type: string
  readonly ref_type: string
  readonly using_columns: readonly string[]
}

export interface Modifier extends Json {
  readonly type: string
}

export interface OrderModifier extends Modifier {
  readonly type: 'ORDER_MODIFIER'
  readonly orders: readonly {
    readonly type: string
    readonly null_order: string
    readonly expression: Expression
  }[]
}

export interface Query extends Json {
  readonly type: string
  readonly modifiers: readonly Modifier[]
  readonly cte_map: { readonly map: readonly CteEntry[] }
}

export interface CteEntry {
  readonly key: string
  readonly value: { readonly aliases: readonly string[]; readonly query: Statement } & Json
}

export interface SelectQuery extends Query {
  readonly type: 'SELECT_NODE'
  readonly select_list: readonly Expression[]
  readonly from_table: TableRef
  readonly where_clause: Expression | null
  readonly group_expressions: readonly Expression[]
  readonly group_sets: readonly (readonly number[])[]
  readonly aggregate_handling: string
  readonly having: Expression | null
  readonly sample: unknown
  readonly qualify: Expression | null
}

export interface SetOperation extends Query {
  readonly type: 'SET_OPERATION_NODE'
  readonly setop_type: string
  readonly setop_all: boolean
  readonly left: Query
  readonly right: Query
}

export interface Statement {
  readonly node: Query
  readonly named_param_map: readonly unknown[]
}

export const isSelect = (query: Query): query is SelectQuery => query.type === 'SELECT_NODE'
export const isSetOperation = (query: Query): query is SetOperation => query.type === 'SET_OPERATION_NODE'
export const isColumnRef = (node: Expression): node is ColumnRef => node.class === 'COLUMN_REF'
export const isFunction = (node: Expression): node is FunctionCall => node.class === 'FUNCTION'
export const isCast = (node: Expression): node is Cast => node.class === 'CAST'
export const isSubquery = (node: Expression): node is SubqueryExpression => node.class === 'SUBQUERY'
export const isStar = (node: Expression): boolean => node.class === 'STAR'
export const isBaseTable = (ref: TableRef): ref is BaseTable => ref.type === 'BASE_TABLE'
export const isSubqueryRef = (ref: TableRef): ref is SubqueryRef => ref.type === 'SUBQUERY'
export const isJoin = (ref: TableRef): ref is JoinRef => ref.type === 'JOIN'

export function column(...names: string[]): ColumnRef {
  return { class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', column_names: names }
}

export function call(name: string, children: readonly Expression[], operator = false): FunctionCall {
  return {
    class: 'FUNCTION',
    type: 'FUNCTION',
    alias: '',
    function_name: name,
    schema: '',
    catalog: '',
    children,
    filter: null,
    order_bys: { type: 'ORDER_MODIFIER', orders: [] },
    distinct: false,
    is_operator: operator,
    export_state: false,
  }
}

export function cast(child: Expression, type: string, alias = ''): Cast {
  return {
    class: 'CAST',
    type: 'OPERATOR_CAST',
    alias,
    child,
    cast_type: { id: type, type_info: null },
    try_cast: false,
  }
}

export function named<E extends Expression>(expression: E, alias: string): E {
  return { ...expression, alias }
}

/** `*` of every input. */
export const star: Expression = {
  class: 'STAR',
  type: 'STAR',
  alias: '',
  relation_name: '',
  exclude_list: [],
  replace_list: [],
  columns: false,
  expr: null,
  qualified_exclude_list: [],
  rename_list: [],
}

/** A bare `*`: nothing excluded, replaced, renamed or qualified. */
export function isBareStar(node: Expression): boolean {
  if (!isStar(node) || node.alias !== '' || node['relation_name'] !== '' || node['columns'] || node['expr'])
    return false
  const lists = ['exclude_list', 'replace_list', 'qualified_exclude_list', 'rename_list'] as const
  return lists.every((list) => ((node[list] as readonly unknown[] | undefined) ?? []).length === 0)
}

export function baseTable(name: string): BaseTable {
  return {
    type: 'BASE_TABLE',
    alias: '',
    sample: null,
    schema_name: '',
    catalog_name: '',
    table_name: name,
    column_name_alias: [],
    at_clause: null,
  }
}

export const emptyTable: TableRef = { type: 'EMPTY', alias: '', sample: null }

export function selectQuery(parts: Partial<SelectQuery> & { readonly from_table: TableRef }): SelectQuery {
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: [] },
    select_list: [star],
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
    ...parts,
  }
}

export function statement(node: Query): Statement {
  return { node, named_param_map: [] }
}

export function subqueryRef(query: Query, alias: string, columns: readonly string[] = []): SubqueryRef {
  return { type: 'SUBQUERY', alias, sample: null, subquery: statement(query), column_name_alias: columns }
}

export interface WindowCall extends Expression {
  readonly class: 'WINDOW'
  readonly function_name: string
  readonly partitions: readonly Expression[]
  readonly orders: OrderModifier['orders']
}

export const isWindowCall = (node: Expression): node is WindowCall => node.class === 'WINDOW'

/** `row_number() OVER (PARTITION BY … ORDER BY …)` */
export function rowNumber(partitions: readonly Expression[], orders: OrderModifier['orders']): WindowCall {
  return {
    class: 'WINDOW',
    type: 'WINDOW_ROW_NUMBER',
    alias: '',
    function_name: 'row_number',
    schema: '',
    catalog: '',
    children: [],
    partitions,
    orders,
    start: 'UNBOUNDED_PRECEDING',
    end: 'CURRENT_ROW_RANGE',
    start_expr: null,
    end_expr: null,
    offset_expr: null,
    default_expr: null,
    ignore_nulls: false,
    filter_expr: null,
    exclude_clause: 'NO_OTHER',
    distinct: false,
    arg_orders: [],
  }
}

export function text(value: string): Expression {
  const type = { id: 'VARCHAR', type_info: null }
  return { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: { type, is_null: false, value } }
}

export function integer(value: number): Expression {
  const type = { id: 'INTEGER', type_info: null }
  return { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: { type, is_null: false, value } }
}

/** `left <= most` */
export function atMost(left: Expression, most: number): Expression {
  return { class: 'COMPARISON', type: 'COMPARE_LESSTHANOREQUALTO', alias: '', left, right: integer(most) }
}
