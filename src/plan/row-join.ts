import { column, emptyTable, type JoinRef, named, star } from './ast.ts'
import { refused } from './check.ts'
import { isStreaming, type Join, type Plan } from './plan.ts'
import { and, type Side, sideOfJoin } from './stream-join.ts'
import { LEFT, RIGHT } from './time-bounds.ts'

/** What an ordinary join may keep of a stream on its left, besides the pairs. */
const KEEPS_OF_STREAM = ['INNER', 'LEFT', 'SEMI', 'ANTI']

/**
 * Joins of a stream with a table must answer every row of the stream by itself.
 *
 * @throws STREAMING_UNSUPPORTED
 */
export function refuseUnlessRowWise(ref: JoinRef, left: Plan, right: Plan): void {
  if (!isStreaming(left) && !isStreaming(right)) return
  if (ref.ref_type === 'POSITIONAL') throw refused('join-kind')
  if (ref.ref_type === 'ASOF' && !isStreaming(left)) throw refused('as-of-join')
  const isRowWise = isStreaming(left)
    ? KEEPS_OF_STREAM.includes(ref.join_type)
    : ['INNER', 'RIGHT'].includes(ref.join_type)
  if (!isRowWise) throw refused('static-outer-join')
}

/** A join of a stream with a table, or of tables, as a side of a join of streams. */
export function rowJoin(left: Side, right: Side, ref: JoinRef): Side {
  refuseUnlessRowWise(ref, left.plan, right.plan)
  const { conditions, relations, sources } = sideOfJoin(left, right, ref)
  const join = joinOf(left.plan, right.plan, {
    ...ref,
    ref_type: ref.ref_type === 'NATURAL' ? 'REGULAR' : ref.ref_type,
    condition: and(conditions),
  })
  const items = sources.map(({ side, source, output }) => named(column(side, source), output))
  return { plan: { kind: 'project', child: join, items }, relations }
}

/** The columns of `right`, which may look at columns of the left side. */
export function describeRight(left: Side, right: Plan): Plan {
  const ref = { type: 'JOIN', alias: '', sample: null, join_type: 'INNER', ref_type: 'CROSS' } as const
  const cross = { ...ref, left: emptyTable, right: emptyTable, condition: null, using_columns: [] }
  const child = joinOf(left.plan, right, {
    ...cross,
    delim_flipped: false,
    duplicate_eliminated_columns: [],
  } as JoinRef)
  return { kind: 'project', child, items: [{ ...star, relation_name: RIGHT }] }
}

function joinOf(left: Plan, right: Plan, ref: JoinRef): Join {
  return {
    kind: 'join',
    left: { kind: 'alias', child: left, name: LEFT, columns: [] },
    right: { kind: 'alias', child: right, name: RIGHT, columns: [] },
    ref: { ...ref, left: emptyTable, right: emptyTable, using_columns: [] },
  }
}
