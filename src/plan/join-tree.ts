import type { Schema } from '../batch.ts'
import { hasCode } from '../errors.ts'
import { type Expression, isBaseTable, isFunction, isJoin, type JoinRef, type TableRef } from './ast.ts'
import { refused } from './check.ts'
import { isStreaming, type Plan } from './plan.ts'
import { describeRight, rowJoin } from './row-join.ts'
import { batchTime } from './rules/batch-time.ts'
import { blobAsText } from './rules/blob-as-text.ts'
import { baseSide, type Side, streamJoin, toSide } from './stream-join.ts'
import { LEFT } from './time-bounds.ts'
import { rewrite } from './walk.ts'

/** What a tree of joins asks of the query that it stands in. */
export interface FromItems {
  /** One item of FROM that is no join. */
  plan(ref: TableRef): Promise<Plan>
  describe(plan: Plan): Promise<Schema>
}

/** Rows of a tree of joins, and the conjuncts of WHERE that none of its joins has taken. */
interface Joined {
  readonly side: Side
  readonly where: readonly Expression[]
}

/** Joins below which a condition on rows of the left, or of the right, may as well be applied. */
const KEEPS_LEFT = ['INNER', 'LEFT', 'SEMI', 'ANTI']
const KEEPS_RIGHT = ['INNER', 'RIGHT']

/**
 * FROM where streams are joined with streams, in any nesting and with tables in between. Every column of the result is
 * called `relation.column`, whatever joins it has passed.
 *
 * @param where conjuncts that inner joins may take as their conditions, so that `FROM a, b WHERE …` is a join
 */
export async function joinTree(
  ref: TableRef,
  where: readonly Expression[],
  items: FromItems,
): Promise<Joined> {
  if (!isJoin(ref)) return { side: await base(ref, items), where }
  const left = await below(ref.left, KEEPS_LEFT.includes(ref.join_type), where, items)
  const lateral = await lateralSide(ref, left.side, items)
  const right = lateral
    ? { side: lateral, where: left.where }
    : await below(ref.right, KEEPS_RIGHT.includes(ref.join_type), left.where, items)
  const ruled = { ...ref, condition: ref.condition && blobAsText(batchTime(ref.condition)) }
  return isStreaming(left.side.plan) && isStreaming(right.side.plan)
    ? streamJoin(left.side, right.side, ruled, right.where)
    : { side: rowJoin(left.side, right.side, ruled), where: right.where }
}

async function below(
  ref: TableRef,
  mayTake: boolean,
  where: readonly Expression[],
  items: FromItems,
): Promise<Joined> {
  if (mayTake) return joinTree(ref, where, items)
  return { side: (await joinTree(ref, [], items)).side, where }
}

async function base(ref: TableRef, items: FromItems): Promise<Side> {
  const from = await items.plan(ref)
  const plan = from.kind === 'alias' && from.columns.length === 0 ? from.child : from
  const columns = await items.describe(plan).catch((error: unknown) => {
    // The whole text has been bound: what cannot be bound alone looks at its neighbours.
    throw hasCode(error, 'SQL_INVALID') ? refused('lateral-join') : error
  })
  return baseSide(plan, nameOf(ref), columns)
}

/** `…, unnest(c.tags) t(tag)`: a table function over columns of the left side. */
async function lateralSide(ref: JoinRef, left: Side, items: FromItems): Promise<Side | undefined> {
  if (ref.right.type !== 'TABLE_FUNCTION') return undefined
  const bound = rewrite(ref.right, (node) => toSide(node, LEFT, left.relations))
  if (bound === ref.right) return undefined
  const plan: Plan = { kind: 'static', ref: bound }
  return baseSide(plan, nameOf(ref.right), await items.describe(describeRight(left, plan)))
}

function nameOf(ref: TableRef): string {
  if (ref.alias !== '') return ref.alias
  if (isBaseTable(ref)) return ref.table_name
  const made = ref['function'] as Expression | undefined
  return made && isFunction(made) ? made.function_name : ''
}
