import {
  atMost,
  column,
  type Expression,
  type JoinRef,
  type Modifier,
  named,
  type Query,
  rowNumber,
  type SetOperation,
  selectQuery,
  star,
  subqueryRef,
  type TableRef,
} from './ast.ts'
import { fannedOut } from './expand-hops.ts'
import type { Plan, Stateful, StreamInput, StreamJoin, TopN, Union, Watermark } from './plan.ts'
import { oneWindowEach } from './rules/event-time-windows.ts'
import { LEFT, RIGHT } from './time-bounds.ts'

/** Which tables stand for the leaves of a plan when it becomes SQL. */
export interface Tables {
  stream(input: StreamInput): TableRef
  /** What stands for a static relation; without it the relation itself. */
  static?(ref: TableRef): TableRef
  /** The table that holds the rows of a node; without one it is computed in place, as plain DuckDB would. */
  stored?(node: Watermark | Stateful): TableRef | undefined
}

/**
 * A plan as one DuckDB query. Neighbouring nodes share a SELECT as long as its clauses are free, so the text
 * stays close to what a person would write.
 */
export function toQuery(plan: Plan, tables: Tables): Query {
  if (plan.kind === 'union') return unionQuery(plan, tables)
  return finish(blockOf(plan, tables))
}

/** A SELECT under construction. */
interface Block {
  readonly from: TableRef
  readonly where: readonly Expression[]
  readonly items?: readonly Expression[]
  readonly group?: readonly Expression[]
  readonly qualify?: Expression
  readonly modifiers: readonly Modifier[]
}

const plain = (from: TableRef): Block => ({ from, where: [], modifiers: [] })

function blockOf(plan: Plan, tables: Tables): Block {
  switch (plan.kind) {
    case 'scan':
      return plain(tables.stream(plan.input))
    case 'static':
      return plain(tables.static?.(plan.ref) ?? plan.ref)
    case 'alias':
      return plain(aliased(blockOf(plan.child, tables), plan.name, plan.columns))
    case 'filter': {
      const block = open(blockOf(plan.child, tables))
      return { ...block, where: [...block.where, plan.predicate] }
    }
    case 'project':
      return { ...open(blockOf(plan.child, tables)), items: plan.items }
    case 'join':
      return plain({ ...plan.ref, left: tableRef(plan.left, tables), right: tableRef(plan.right, tables) })
    case 'stream-join': {
      const table = tables.stored?.(plan)
      return table ? plain(table) : streamJoinBlock(plan, tables)
    }
    case 'union':
      return plain(subqueryRef(unionQuery(plan, tables), ''))
    case 'watermark': {
      const table = tables.stored?.(plan)
      return table ? plain(table) : blockOf(plan.child, tables)
    }
    case 'dedup': {
      const table = tables.stored?.(plan)
      if (table) return plain(table)
      const block = open(blockOf(plan.child, tables))
      const distinct_on_targets = plan.keys.map((key) => column(key))
      return { ...block, modifiers: [{ type: 'DISTINCT_MODIFIER', distinct_on_targets }] }
    }
    case 'top-n': {
      const table = tables.stored?.(plan)
      return table ? plain(table) : topNBlock(plan, tables)
    }
    case 'map-groups':
      return plain(tables.stored?.(plan) ?? subqueryRef(plan.empty, ''))
    case 'aggregate': {
      const table = tables.stored?.(plan)
      if (table) return plain(table)
      const { child, keys: expanded } = fannedOut(plan)
      const keys = expanded.map((key) => named(oneWindowEach(key.expression), key.name))
      const calls = plan.calls.map(({ name, call }) => named(call, name))
      const group = expanded.map((key) => named(oneWindowEach(key.expression), ''))
      return { ...open(blockOf(child, tables)), items: [...keys, ...calls], group }
    }
    case 'arrange': {
      const block = blockOf(plan.child, tables)
      const free =
        block.modifiers.length === 0 && !block.group ? block : plain(subqueryRef(finish(block), ''))
      return { ...free, modifiers: plan.modifiers }
    }
  }
}

/** `SELECT l.x AS "a.x", … FROM (…) AS l JOIN (…) AS r ON …` */
function streamJoinBlock(plan: StreamJoin, tables: Tables): Block {
  const from: JoinRef = {
    type: 'JOIN',
    alias: '',
    sample: null,
    left: subqueryRef(toQuery(plan.left, tables), LEFT),
    right: subqueryRef(toQuery(plan.right, tables), RIGHT),
    condition: plan.condition,
    join_type: plan.type.replace(/^ASOF$/, 'INNER').replace(/^ASOF /, ''),
    ref_type: plan.type.startsWith('ASOF') ? 'ASOF' : 'REGULAR',
    using_columns: [],
    delim_flipped: false,
    duplicate_eliminated_columns: [],
  }
  const items = (side: string, columns: StreamJoin['columns']['left']) =>
    columns.map(({ source, output }) => named(column(side, source), output))
  return { ...plain(from), items: [...items(LEFT, plan.columns.left), ...items(RIGHT, plan.columns.right)] }
}

/** `SELECT *, row_number() OVER (…) AS rank FROM … QUALIFY …` */
function topNBlock(plan: TopN, tables: Tables): Block {
  const rank = rowNumber(plan.partition, plan.orders)
  const qualify = atMost(rank, plan.limit)
  const items = plan.rank === undefined ? [star] : [star, named(rank, plan.rank)]
  return { ...open(blockOf(plan.child, tables)), items, qualify }
}

/** A block whose WHERE and select list can still be added to. */
function open(block: Block): Block {
  return block.items || block.modifiers.length > 0 ? plain(subqueryRef(finish(block), '')) : block
}

function finish(block: Block): Query {
  const isTrivial = block.where.length === 0 && !block.items && block.modifiers.length === 0
  if (isTrivial && block.from.type === 'SUBQUERY' && block.from.alias === '') {
    return (block.from as ReturnType<typeof subqueryRef>).subquery.node
  }
  return selectQuery({
    from_table: block.from,
    where_clause: conjunction(block.where),
    modifiers: block.modifiers,
    ...(block.items ? { select_list: block.items } : {}),
    ...(block.qualify ? { qualify: block.qualify } : {}),
    ...(block.group && block.group.length > 0
      ? { group_expressions: block.group, group_sets: [block.group.map((_, index) => index)] }
      : {}),
  })
}

function aliased(block: Block, name: string, columns: readonly string[]): TableRef {
  const isBare = block.where.length === 0 && !block.items && block.modifiers.length === 0
  if (isBare && block.from.alias === '' && block.from.type === 'BASE_TABLE') {
    return { ...block.from, alias: name, column_name_alias: columns }
  }
  return subqueryRef(finish(block), name, columns)
}

function tableRef(plan: Plan, tables: Tables): TableRef {
  const block = blockOf(plan, tables)
  const isBare = block.where.length === 0 && !block.items && block.modifiers.length === 0
  return isBare ? block.from : subqueryRef(finish(block), '')
}

function unionQuery(plan: Union, tables: Tables): SetOperation {
  return {
    type: 'SET_OPERATION_NODE',
    modifiers: [],
    cte_map: { map: [] },
    setop_type: 'UNION',
    setop_all: true,
    left: toQuery(plan.left, tables),
    right: toQuery(plan.right, tables),
  }
}

function conjunction(predicates: readonly Expression[]): Expression | null {
  const [first, ...others] = predicates
  if (!first || others.length === 0) return first ?? null
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: predicates }
}
