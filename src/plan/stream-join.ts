import {
  type ColumnRef,
  column,
  type Expression,
  isColumnRef,
  isStar,
  type JoinRef,
  named,
  type SelectQuery,
} from './ast.ts'
import { refused } from './check.ts'
import type { JoinColumn, Plan, StreamJoin } from './plan.ts'
import { conjuncts, LEFT, RIGHT } from './time-bounds.ts'
import { rewrite } from './walk.ts'

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
export type JoinType = (typeof TYPES)[number]

/**
 * The join of two streams. Its columns are called `relation.column`, and `bind` makes the rest of the SELECT say so.
 *
 * @param where conjuncts of WHERE; those of an inner join are part of its condition, so that `FROM a, b WHERE …` is a
 *   join like any other. Answers those that are not.
 */
export function streamJoin(left: Side, right: Side, ref: JoinRef, where: Expression | null) {
  const type = TYPES.find((each) => each === ref.join_type)
  // Which side's key a full or right join shows would depend on the row.
  if (ref.using_columns.length > 0 && (type === 'FULL' || type === 'RIGHT')) throw refused('join-kind')
  if (!type || !['REGULAR', 'CROSS'].includes(ref.ref_type)) throw refused('join-kind')
  const using = ref.using_columns.map((name) => name.toLowerCase())
  const rightRelations = right.relations.map((relation) => ({
    ...relation,
    columns: relation.columns.map((each) =>
      using.includes(each.name.toLowerCase()) ? { ...each, isHidden: true as const } : each,
    ),
  }))
  const toSides = (tree: Expression) => rewrite(tree, (node) => sideOf(node, left.relations, right.relations))
  const absorbs = type === 'INNER' && !JSON.stringify(where).includes('"class":"SUBQUERY"')
  const conditions = [
    ...using.map((name) => equal(column(name), left.relations, right.relations)),
    ...conjuncts(ref.condition).map(toSides),
    ...(absorbs ? conjuncts(where).map(toSides) : []),
  ]
  if (conditions.length === 0) throw refused('cross-join')
  const plan: StreamJoin = {
    kind: 'stream-join',
    left: left.plan,
    right: right.plan,
    type,
    condition: conditions.length === 1 ? (conditions[0] as Expression) : and(conditions),
    columns: {
      left: columnsOf(left.relations),
      right: type === 'SEMI' || type === 'ANTI' ? [] : columnsOf(right.relations),
    },
  }
  const isOneSided = type === 'SEMI' || type === 'ANTI'
  const relations = isOneSided ? left.relations : [...left.relations, ...rightRelations]
  return { side: { plan, relations: relations.map(asResult) }, where: absorbs ? null : where }
}

/** A base relation as a side. */
export function baseSide(plan: Plan, alias: string, names: readonly string[]): Side {
  return {
    plan,
    relations: [
      { alias, columns: names.map((name) => ({ name, source: name, output: `${alias}.${name}` })) },
    ],
  }
}

/** The clauses of a SELECT over the columns of a join: `c.page` becomes `"c.page" AS page`, `*` becomes their list. */
export function bind(select: SelectQuery, relations: readonly Relation[]): SelectQuery {
  const { from_table, select_list, ...clauses } = select
  const toOutput = (node: Expression) => {
    const found = isColumnRef(node) ? find(node, relations) : undefined
    return found && named(column(found.source, ...found.path), node.alias)
  }
  const items = select_list.flatMap((item) => {
    if (isStar(item)) return expand(item, relations)
    const bound = rewrite(item, toOutput)
    return isColumnRef(item) && item.alias === ''
      ? [named(bound, item.column_names.at(-1) as string)]
      : [bound]
  })
  return { ...rewrite(clauses, toOutput), select_list: items, from_table } as SelectQuery
}

function expand(star: Expression, relations: readonly Relation[]): Expression[] {
  const qualifier = String(star['relation_name'] ?? '').toLowerCase()
  const excluded = (star['exclude_list'] as string[]).map((name) => String(name).toLowerCase())
  if ((star['replace_list'] as unknown[]).length > 0 || star['columns'] || star['expr'])
    throw refused('join-star')
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

/** A column of the condition as `l.source` or `r.source`. */
function sideOf(
  node: Expression,
  left: readonly Relation[],
  right: readonly Relation[],
): Expression | undefined {
  if (!isColumnRef(node)) return undefined
  for (const [side, relations] of [
    [LEFT, left],
    [RIGHT, right],
  ] as const) {
    const found = find(node, relations)
    if (found) return named(column(side, found.source, ...found.path), node.alias)
  }
  return undefined
}

function equal(name: ColumnRef, left: readonly Relation[], right: readonly Relation[]): Expression {
  const [l, r] = [find(name, left), find(name, right)]
  const sides = { left: column(LEFT, l?.source ?? ''), right: column(RIGHT, r?.source ?? '') }
  return { class: 'COMPARISON', type: 'COMPARE_EQUAL', alias: '', ...sides }
}

function and(children: readonly Expression[]): Expression {
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children }
}

function columnsOf(relations: readonly Relation[]): JoinColumn[] {
  return relations.flatMap(({ columns }) => columns.map(({ source, output }) => ({ source, output })))
}

/** Seen from above the join, a column's source is what the join calls it. */
function asResult(relation: Relation): Relation {
  return { ...relation, columns: relation.columns.map((each) => ({ ...each, source: each.output })) }
}
