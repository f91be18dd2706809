import type { Schema } from '../batch.ts'
import {
  type ColumnRef,
  column,
  type Expression,
  isColumnRef,
  isStar,
  isSubquery,
  type JoinRef,
  named,
  type SelectQuery,
} from './ast.ts'
import { refused } from './check.ts'
import { rewriteNames } from './names.ts'
import type { JoinColumn, Plan, StreamJoin } from './plan.ts'
import { conjuncts, LEFT, RIGHT } from './time-bounds.ts'
import { walk } from './walk.ts'

/** One relation of FROM: its name, and what its columns are called in the result of the join. */
export interface Relation {
  readonly alias: string
  readonly columns: readonly RelationColumn[]
}

interface RelationColumn extends JoinColumn {
  /** As the user calls it. */
  readonly name: string
  /** The other side of USING: there, but neither in `*` nor without a qualifier. */
  readonly isHidden?: true
}

/** One side of a join: its rows, and the relations that they were made from. */
export interface Side {
  readonly plan: Plan
  readonly relations: readonly Relation[]
}

const TYPES = ['INNER', 'LEFT', 'RIGHT', 'FULL', 'SEMI', 'ANTI'] as const

function typeOf({ join_type, ref_type }: JoinRef): StreamJoin['type'] {
  const type = TYPES.find((each) => each === join_type)
  if (type && ['REGULAR', 'CROSS', 'NATURAL'].includes(ref_type)) return type
  if (ref_type === 'ASOF' && type === 'INNER') return 'ASOF'
  if (ref_type === 'ASOF' && type === 'LEFT') return 'ASOF LEFT'
  throw refused(ref_type === 'ASOF' ? 'as-of-join' : 'join-kind')
}

/**
 * The join of two streams. Its columns are called `relation.column`, and `bind` makes the rest of the SELECT say so.
 *
 * @param where conjuncts of WHERE; an inner join takes those that its sides can answer. Answers the others.
 */
export function streamJoin(left: Side, right: Side, ref: JoinRef, where: readonly Expression[]) {
  const type = typeOf(ref)
  const { conditions, relations } = sideOfJoin(left, right, ref)
  const taken = type === 'INNER' ? where.filter((each) => isAbout(each, left, right)) : []
  const all = [...conditions, ...taken.map((each) => toSides(each, left, right))]
  const condition = and(all)
  if (!condition) throw refused('cross-join')
  const isOneSided = type === 'SEMI' || type === 'ANTI'
  const plan: StreamJoin = {
    kind: 'stream-join',
    left: left.plan,
    right: right.plan,
    type,
    condition,
    columns: {
      left: columnsOf(left.relations),
      right: isOneSided ? [] : columnsOf(right.relations),
    },
  }
  return { side: { plan, relations }, where: where.filter((each) => !taken.includes(each)) }
}

/** What joins of every kind make of their sides: conditions over `l` and `r`, and the relations above. */
export function sideOfJoin(left: Side, right: Side, ref: JoinRef) {
  const using = (ref.ref_type === 'NATURAL' ? commonNames(left, right) : ref.using_columns).map((name) =>
    name.toLowerCase(),
  )
  // Which side's key a full join shows would depend on the row.
  if (using.length > 0 && ref.join_type === 'FULL') throw refused('join-kind')
  const hides = ref.join_type === 'RIGHT' ? left : right
  const hidden = hides.relations.map((relation) => ({
    ...relation,
    columns: relation.columns.map((each) =>
      using.includes(each.name.toLowerCase()) ? { ...each, isHidden: true as const } : each,
    ),
  }))
  const isOneSided = ref.join_type === 'SEMI' || ref.join_type === 'ANTI'
  const rightRelations = hides === right ? hidden : right.relations
  const relations = [...(hides === left ? hidden : left.relations), ...(isOneSided ? [] : rightRelations)]
  const sources = (side: string, of: Side) => columnsOf(of.relations).map((each) => ({ ...each, side }))
  // As in DuckDB, the last column behind USING of an as-of join is the time.
  const comparisonOf = (index: number) =>
    ref.ref_type === 'ASOF' && index === using.length - 1 ? 'COMPARE_GREATERTHANOREQUALTO' : 'COMPARE_EQUAL'
  return {
    conditions: [
      ...using.map((name, i) => compared(comparisonOf(i), column(name), left.relations, right.relations)),
      ...conjuncts(ref.condition).map((each) => toSides(each, left, right)),
    ],
    relations: relations.map(asResult),
    /** The columns of the result, by their places in the sides. */
    sources: [...sources(LEFT, left), ...(isOneSided ? [] : sources(RIGHT, right))],
  }
}

/** A base relation as a side. */
export function baseSide(plan: Plan, alias: string, columns: Schema): Side {
  return {
    plan,
    relations: [
      { alias, columns: columns.map(({ name }) => ({ name, source: name, output: `${alias}.${name}` })) },
    ],
  }
}

/**
 * A SELECT over the columns of a join: `c.page` becomes `"c.page" AS page`, `*` becomes their list.
 *
 * @throws STREAMING_UNSUPPORTED for `* REPLACE`, `* RENAME` and COLUMNS where names do not tell columns apart
 */
export function bind(select: SelectQuery, side: Side): { plan: Plan; select: SelectQuery } {
  const { plan, relations } = choosesByName(select) ? plainlyNamed(side) : side
  const { from_table, select_list, ...clauses } = select
  const toOutput = (node: Expression) => {
    const found = isColumnRef(node) ? find(node, relations) : undefined
    return found && named(column(found.source, ...found.path), node.alias)
  }
  const ofRelation = (node: Expression) =>
    isColumnRef(node) && relations.some(({ alias }) => isSameName(alias, node.column_names[0]!))
      ? toOutput(node)
      : undefined
  const items = select_list.flatMap((item) => {
    if (isStar(item) && !choosesByName(item)) return expand(item, relations)
    const bound = rewriteNames(item, toOutput, ofRelation)
    return isColumnRef(item) && item.alias === ''
      ? [named(bound, item.column_names.at(-1) as string)]
      : [bound]
  })
  return {
    plan,
    select: { ...rewriteNames(clauses, toOutput, ofRelation), select_list: items, from_table } as SelectQuery,
  }
}

/** Whether a star does more than list columns: `* REPLACE`, `* RENAME`, COLUMNS(…). */
function choosesByName(root: unknown): boolean {
  let found = false
  walk(root, (node) => {
    if (!isStar(node)) return undefined
    const lists = ['replace_list', 'rename_list', 'qualified_exclude_list']
    const chooses = lists.some((list) => ((node[list] as readonly unknown[] | undefined) ?? []).length > 0)
    if (!chooses && !node['columns'] && !node['expr']) return undefined
    if (node['relation_name'] !== '') throw refused('join-star')
    found = true
    return undefined
  })
  // Columns under plain names could not be told from those of a subquery's own tables.
  walk(found ? root : [], (node) => {
    if (isSubquery(node)) throw refused('join-star')
    return undefined
  })
  return found
}

const isSameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

/** The join with its columns under their own names, which are all different. */
function plainlyNamed({ plan, relations }: Side): Side {
  const visible = relations.flatMap(({ columns }) => columns).filter(({ isHidden }) => !isHidden)
  if (new Set(visible.map(({ name }) => name.toLowerCase())).size < visible.length) throw refused('join-star')
  const items = visible.map(({ source, name }) => named(column(source), name))
  const asNamed = (relation: Relation): Relation => ({
    ...relation,
    columns: relation.columns
      .filter(({ isHidden }) => !isHidden)
      .map((each) => ({ ...each, source: each.name })),
  })
  return { plan: { kind: 'project', child: plan, items }, relations: relations.map(asNamed) }
}

function expand(star: Expression, relations: readonly Relation[]): Expression[] {
  const qualifier = String(star['relation_name'] ?? '').toLowerCase()
  const excluded = (star['exclude_list'] as string[]).map((name) => String(name).toLowerCase())
  return relations
    .filter(({ alias }) => qualifier === '' || alias.toLowerCase() === qualifier)
    .flatMap(({ columns }) => columns)
    .filter(({ name, isHidden }) => !(isHidden && qualifier === '') && !excluded.includes(name.toLowerCase()))
    .map(({ name, source }) => named(column(source), name))
}

function find(
  node: ColumnRef,
  relations: readonly Relation[],
): { source: string; path: readonly string[] } | undefined {
  const [first, second, ...rest] = node.column_names.map((name) => name.toLowerCase())
  const relation =
    second === undefined ? undefined : relations.find(({ alias }) => alias.toLowerCase() === first)
  const qualified = relation?.columns.find(({ name }) => name.toLowerCase() === second)
  if (qualified)
    return { source: qualified.source, path: node.column_names.slice(node.column_names.length - rest.length) }
  const plain = relations
    .flatMap(({ columns }) => columns)
    .find(({ name, isHidden }) => !isHidden && name.toLowerCase() === first)
  return plain && { source: plain.source, path: node.column_names.slice(1) }
}

/** A column of a condition as `side.source`; undefined for all else. */
export function toSide(
  node: Expression,
  side: string,
  relations: readonly Relation[],
): ColumnRef | undefined {
  const found = isColumnRef(node) ? find(node, relations) : undefined
  return found && named(column(side, found.source, ...found.path), node.alias)
}

function toSides(condition: Expression, left: Side, right: Side): Expression {
  // `n.id` is column id of the relation n, where there is one, before it is field id of a column n of the other side.
  const isOfRight = (node: Expression) =>
    isColumnRef(node) && !isQualified(node, left.relations) && isQualified(node, right.relations)
  const toEither = (node: Expression) =>
    (isOfRight(node) ? undefined : toSide(node, LEFT, left.relations)) ?? toSide(node, RIGHT, right.relations)
  return rewriteNames(condition, toEither, toEither)
}

function isQualified({ column_names: [first, second] }: ColumnRef, relations: readonly Relation[]): boolean {
  if (second === undefined) return false
  const relation = relations.find(({ alias }) => isSameName(alias, first as string))
  return relation?.columns.some(({ name }) => isSameName(name, second)) ?? false
}

/** Whether a condition is about columns of these sides alone. */
function isAbout(condition: Expression, left: Side, right: Side): boolean {
  let isKnown = true
  walk(condition, (node) => {
    if (isSubquery(node)) isKnown = false
    if (isColumnRef(node) && !find(node, left.relations) && !find(node, right.relations)) isKnown = false
    return undefined
  })
  return isKnown
}

function commonNames(left: Side, right: Side): string[] {
  const names = (side: Side) => side.relations.flatMap(({ columns }) => columns.map(({ name }) => name))
  const others = names(right).map((name) => name.toLowerCase())
  return names(left).filter((name) => others.includes(name.toLowerCase()))
}

function compared(
  type: string,
  name: ColumnRef,
  left: readonly Relation[],
  right: readonly Relation[],
): Expression {
  const [l, r] = [find(name, left), find(name, right)]
  const sides = { left: column(LEFT, l?.source ?? ''), right: column(RIGHT, r?.source ?? '') }
  return { class: 'COMPARISON', type, alias: '', ...sides }
}

export function and(children: readonly Expression[]): Expression | null {
  if (children.length < 2) return children[0] ?? null
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children }
}

function columnsOf(relations: readonly Relation[]): JoinColumn[] {
  return relations.flatMap(({ columns }) => columns.map(({ source, output }) => ({ source, output })))
}

/** Seen from above the join, a column's source is what the join calls it. */
function asResult(relation: Relation): Relation {
  return { ...relation, columns: relation.columns.map((each) => ({ ...each, source: each.output })) }
}
