import type { Analysis } from './analysis.ts'
import {
  baseTable,
  type Expression,
  isBaseTable,
  isJoin,
  isSubquery,
  type Query,
  selectQuery,
  statement,
  type TableRef,
} from './ast.ts'
import { isStreaming, nodesOf, type Plan } from './plan.ts'
import { tablesIn } from './tables.ts'
import { rewrite, walk } from './walk.ts'

/** A relation of files that a query reads once for many batches. */
export interface Snapshot {
  readonly table: string
  /** Reads it, or reads it again. */
  readonly read: string
}

/** What of a streaming query is read once, and the query over what was read. */
export interface Snapshots {
  readonly all: readonly Snapshot[]
  /** What stands for a static relation. */
  relation(ref: TableRef): TableRef
  /** A query with its static subqueries replaced. */
  over(query: Query): Query
}

/**
 * Everything that reads files, beside a stream or in a subquery of one, as tables that are read when the query starts.
 * What reads tables of the session alone is left as it is: each batch sees them as they then are.
 */
export async function snapshots(plan: Plan, analysis: Analysis): Promise<Snapshots> {
  const all: Snapshot[] = []
  const relations = new Map<TableRef, TableRef>()
  const subqueries = new Map<Query, TableRef>()
  const keep = async (query: Query): Promise<TableRef | undefined> => {
    if (!readsFiles(query) || !(await standsAlone(query, analysis))) return undefined
    const table = `static_${all.length}`
    all.push({ table, read: `CREATE OR REPLACE TEMP TABLE ${table} AS ${await analysis.sql.print(query)}` })
    return baseTable(table)
  }
  for (const node of isStreaming(plan) ? nodesOf(plan) : []) {
    for (const ref of node.kind === 'static' ? itemsOf(node.ref) : []) {
      const table = relations.has(ref) ? undefined : await keep(selectQuery({ from_table: ref }))
      if (table) relations.set(ref, { ...table, alias: nameOf(ref) })
    }
    for (const query of subqueriesIn(ownOf(node))) {
      const table = subqueries.has(query) ? undefined : await keep(query)
      if (table) subqueries.set(query, table)
    }
  }
  const relation = (ref: TableRef): TableRef =>
    isJoin(ref)
      ? ({ ...ref, left: relation(ref.left), right: relation(ref.right) } as TableRef)
      : (relations.get(ref) ?? ref)
  const inSubquery = (node: Expression): Expression | undefined => {
    const table = isSubquery(node) ? subqueries.get(node.subquery.node) : undefined
    return table && ({ ...node, subquery: statement(selectQuery({ from_table: table })) } as Expression)
  }
  return { all, relation, over: (query) => (subqueries.size === 0 ? query : rewrite(query, inSubquery)) }
}

/** The relations that a tree of joins is made of. */
function itemsOf(ref: TableRef): TableRef[] {
  return isJoin(ref) ? [...itemsOf(ref.left), ...itemsOf(ref.right)] : [ref]
}

/** What a relation is called by the rest of the query, as DuckDB would call it. */
function nameOf(ref: TableRef): string {
  if (ref.alias !== '') return ref.alias
  if (isBaseTable(ref)) return ref.table_name.replace(/^.*\//, '').replace(/\..*$/, '')
  return (ref['function'] as { function_name?: string } | undefined)?.function_name ?? ''
}

/** A node without the plans below it. */
function ownOf(node: Plan): object {
  return Object.fromEntries(
    Object.entries(node).filter(([key]) => !['child', 'left', 'right', 'ref'].includes(key)),
  )
}

function subqueriesIn(root: unknown): Query[] {
  const queries: Query[] = []
  walk(root, (node) => {
    if (!isSubquery(node)) return undefined
    queries.push(node.subquery.node)
    return false
  })
  return queries
}

const FILE_FUNCTIONS = /^(read_|parquet_scan$|glob$)/i

const FILE_NAME = /[/*]|\.(?:parquet|[ct]sv|json|jsonl|ndjson|gz|zst)$/i

/** `'names.parquet'` after FROM, or a function that reads such. */
function readsFiles(query: Query): boolean {
  const calls = [...JSON.stringify(query).matchAll(/"function_name":"(\w+)"/g)]
  return (
    calls.some(([, name]) => FILE_FUNCTIONS.test(name as string)) ||
    tablesIn(query).some((table) => FILE_NAME.test(table.table_name))
  )
}

/** Whether a query looks at nothing outside itself, nor at the time of the batch. */
async function standsAlone(query: Query, analysis: Analysis): Promise<boolean> {
  if (JSON.stringify(query).includes('"getvariable"')) return false
  return analysis.describe(query).then(
    () => true,
    () => false,
  )
}
