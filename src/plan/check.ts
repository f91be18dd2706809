import { SluiceError } from '../errors.ts'
import type { OutputMode } from '../output-mode.ts'
import { asOfMatch } from './as-of.ts'
import { closesTogether } from './closing-key.ts'
import { eventTimeOf, eventTimes } from './event-time.ts'
import { checkGroupsMode, checkGroupsShape } from './map-groups.ts'
import { isOverResults, keepsItsGroups, resultsBelow } from './over-results.ts'
import {
  type Aggregate,
  aggregatesOf,
  childrenOf,
  isStateful,
  isStreaming,
  nodesOf,
  type Plan,
  type Project,
  type StreamJoin,
} from './plan.ts'
import { isSession } from './rules/event-time-windows.ts'
import { isAsOf, timeBounds } from './time-bounds.ts'
import { walk } from './walk.ts'
import { windowCallsIn } from './window-calls.ts'

/**
 * Everything a streaming query may not do, in one list: what it is, why, and what to write instead.
 * `sql/unsupported/<key>.sql` shows each one, and a test runs them all.
 */
export const REFUSALS = {
  'session-window': {
    what: 'session_window outside of GROUP BY, or of a column without a watermark',
    why: 'only a group knows which rows belong to one session, and only a watermark when it has ended',
    instead: 'withWatermark, and session_window of that column in GROUP BY',
  },
  'session-in-update': {
    what: 'session_window in update mode',
    why: 'two sessions that grow together would have to be taken back',
    instead: 'outputMode append or complete',
  },
  'callback-in-sql': {
    what: 'code in another language inside SQL',
    why: 'a function with or without state is TypeScript, which a SQL file cannot hold',
    instead:
      'session.udf.register or groupByKey(…).mapGroupsWithState in a program, or CREATE MACRO for an expression',
  },
  'distinct-on': {
    what: 'DISTINCT ON over groups of a stream',
    why: 'groups change, and which of them is the first of a key changes with them',
    instead: 'DISTINCT ON in a subquery below the aggregation, or a second query over the sink of the first',
  },
  'several-hops': {
    what: 'more than one hopping window in one SELECT',
    why: 'every row would stand in every pair of them',
    instead: 'one hopping window, or a query for each',
  },
  'top-n-mode': {
    what: 'row_number() … <= n on a stream in append or complete mode',
    why: 'rows still to come may push a row out again',
    instead: 'outputMode update, or in append mode over groups by a window with that window in PARTITION BY',
  },
  'tied-ranks': {
    what: 'rank() or dense_rank() … <= n on a stream',
    why: 'of rows with one rank any number may come and go, and who reads the result could not tell which of them a row replaces',
    instead: 'row_number() with the columns that decide between equal rows behind ORDER BY',
  },
  'window-function': {
    what: 'a window function (OVER) on a stream, or on groups that may still change',
    why: 'rows still to come would change answers already given',
    instead:
      'GROUP BY; row_number() OVER (PARTITION BY … ORDER BY …) <= n in update mode; over groups complete mode, or append mode with their window in PARTITION BY',
  },
  'sampling-aggregate': {
    what: 'reservoir_quantile on a stream',
    why: 'it draws a sample at random, and a replayed batch must give the same rows again',
    instead: 'approx_quantile or quantile_cont',
  },
  'bitstring-without-bounds': {
    what: 'bitstring_agg(x) without bounds on a stream',
    why: 'its width follows the least and the greatest value of the whole input',
    instead: 'bitstring_agg(x, least, greatest)',
  },
  sample: {
    what: 'USING SAMPLE on a stream',
    why: 'a replayed batch must give the same rows again',
    instead: 'a deterministic filter such as WHERE hash(key) % 100 = 0',
  },
  'set-operation': {
    what: 'INTERSECT or EXCEPT on a stream, or UNION BY NAME',
    why: 'rows still to come would take back what was handed on, and names may not match',
    instead: 'a SEMI or ANTI JOIN of the streams, or UNION with the columns in order',
  },
  'union-with-static': {
    what: 'a union of a stream with a static relation',
    why: 'the static rows would come again in every batch',
    instead: 'two queries, or write the static rows to the sink once',
  },
  'outer-join-unbounded': {
    what: 'an outer or anti join of streams whose rows may wait for a partner for ever',
    why: 'a row without a partner is known only when the watermark has passed all that it could have',
    instead:
      'watermarks on both sides and a condition on both times, such as a.at BETWEEN b.at AND b.at + INTERVAL 1 HOUR',
  },
  'outer-join-mode': {
    what: 'an outer, anti or as-of join of streams in update or complete mode',
    why: 'its rows come when the watermark passes them, once',
    instead: 'outputMode append',
  },
  'cross-join': {
    what: 'a join of streams without a condition',
    why: 'every row would have to be kept for every row still to come',
    instead: 'a condition that ties the two together',
  },
  'as-of-join': {
    what: 'an ASOF join with a stream on the right, other than an inner or left one for the latest row of it before the event time of a stream on the left',
    why: 'only of the past does a watermark say that no nearer row can come any more',
    instead:
      'watermarks on both sides and ASOF [LEFT] JOIN … ON left.time >= right.time AND left.key = right.key, other conditions in a subquery',
  },
  'join-kind': {
    what: 'a POSITIONAL join of a stream, or a full join of streams with USING or NATURAL',
    why: 'which partner a row has would change with rows still to come, or its columns could not be told apart',
    instead: 'JOIN … ON with bounds on both times',
  },
  'join-star': {
    what: '* REPLACE, * RENAME or COLUMNS(…) over a join of streams that have columns of the same name',
    why: 'a name would not say which of them is meant',
    instead: 'the columns by name, or a subquery around the join',
  },
  'lateral-join': {
    what: 'a correlated subquery in FROM beside a join of streams',
    why: 'a join of streams keeps rows of both sides, and the subquery would have to be kept with every one of them',
    instead: 'its expressions in SELECT, or a subquery around the join',
  },
  'static-outer-join': {
    what: 'a join that keeps all rows of the static side',
    why: 'whether a static row never finds a partner is known only at the end of the stream',
    instead: 'an inner join, or a LEFT JOIN with the stream on the left',
  },
  'stream-in-subquery': {
    what: 'a stream inside a subquery expression (IN, EXISTS, scalar subquery)',
    why: 'its answer would change with every batch',
    instead: 'a SEMI or ANTI JOIN of the two streams; a static table may stand in a subquery',
  },
  'recursive-cte': {
    what: 'WITH RECURSIVE over a stream',
    why: 'a recursion needs its whole input at once',
    instead: 'a recursion over a static table',
  },
  'nested-aggregate': {
    what: 'an operator over the changing results of an aggregation that would have to take rows back',
    why: 'in append mode no row can be taken back, and in update mode no group that becomes empty',
    instead:
      'windows under a watermark in append mode, complete mode, or keys that are made of the keys below in update mode',
  },
  'union-above-aggregate': {
    what: 'a union of an aggregation with rows that never change, in update or complete mode',
    why: 'who reads the result could not tell rows that replace others from rows that add to them',
    instead: 'outputMode append, an aggregation of the union, or two queries',
  },
  'order-without-complete': {
    what: 'ORDER BY or LIMIT on a stream',
    why: 'an order over rows still to come does not exist',
    instead: 'outputMode complete with an aggregation, or sort in the reader of the sink',
  },
  'aggregate-in-append': {
    what: 'an aggregation in append mode whose groups no watermark closes',
    why: 'a group may still change, and append cannot take a row back',
    instead: 'withWatermark and a window of that column in GROUP BY, or outputMode update or complete',
  },
  'complete-without-aggregate': {
    what: 'complete mode without an aggregation',
    why: 'the whole stream would have to be kept and written again in every batch',
    instead: 'outputMode append',
  },
} as const

export type Refusal = keyof typeof REFUSALS

/** The error for one entry of the list. */
export function refused(key: Refusal): SluiceError {
  const { what, why, instead } = REFUSALS[key]
  return new SluiceError('STREAMING_UNSUPPORTED', { what, why, instead, key })
}

/**
 * The refusals that depend on the whole plan and the output mode; those that show in one clause are raised while the
 * plan is built.
 *
 * @throws STREAMING_UNSUPPORTED
 */
export function checkOutputMode(plan: Plan, mode: OutputMode): void {
  checkGroupsMode(plan, mode)
  const aggregates = aggregatesOf(plan)
  if (aggregates.length === 0 && mode === 'complete') {
    throw refused(
      nodesOf(plan).some((node) => node.kind === 'top-n') ? 'top-n-mode' : 'complete-without-aggregate',
    )
  }
  if (mode === 'append' && aggregates.some((aggregate) => !isClosedByWatermark(aggregate))) {
    throw refused(aggregates.length > 1 ? 'nested-aggregate' : 'aggregate-in-append')
  }
  for (const node of nodesOf(plan)) {
    if (node.kind === 'stream-join') checkJoin(node, mode)
    if (node.kind === 'union' && mode !== 'append' && changesRows(node.left) !== changesRows(node.right))
      throw refused('union-above-aggregate')
    if (node.kind === 'aggregate') checkSession(node, mode)
    if (node.kind === 'top-n' && mode !== 'update' && !isComputedAnew(node, mode)) throw refused('top-n-mode')
    if (node.kind === 'project') checkWindowCalls(node, mode)
    if (node.kind === 'arrange' && mode !== 'complete') throw refused('order-without-complete')
    if (isStateful(node) && mode !== 'append' && childrenOf(node).some(changesRows))
      if (!isComputedAnew(node, mode)) throw refused('nested-aggregate')
  }
}

function checkSession(aggregate: Aggregate, mode: OutputMode): void {
  const sessions = aggregate.keys.filter(({ expression }) => isSession(expression))
  if (sessions.length === 0) return
  const below = eventTimes(aggregate.child)
  if (sessions.length > 1 || sessions.some(({ expression }) => !eventTimeOf(expression, below))) {
    throw refused('session-window')
  }
  if (mode === 'update') throw refused('session-in-update')
}

/** Rows without a partner must be known to have none, and each is handed on once. */
function checkJoin(join: StreamJoin, mode: OutputMode): void {
  if (join.type === 'INNER' || join.type === 'SEMI') return
  if (isAsOf(join) && !asOfMatch(join, eventTimes(join.left), eventTimes(join.right)))
    throw refused('as-of-join')
  if (mode !== 'append') throw refused('outer-join-mode')
  if (isAsOf(join)) return
  const bounds = timeBounds(join, eventTimes(join.left), eventTimes(join.right))
  const keepsLeft = join.type !== 'RIGHT'
  const keepsRight = join.type === 'RIGHT' || join.type === 'FULL'
  if (keepsLeft && bounds?.leastMs === undefined) throw refused('outer-join-unbounded')
  if (keepsRight && bounds?.mostMs === undefined) throw refused('outer-join-unbounded')
}

/** Over groups: all of them are there in complete mode, and in append mode those of a window that has closed. */
function checkWindowCalls({ child, items }: Project, mode: OutputMode): void {
  for (const { partitions } of windowCallsIn(items)) {
    const isWhole = mode === 'complete' || (mode === 'append' && closesTogether(child, partitions))
    if (!isWhole) throw refused('window-function')
  }
}

/** Whether an operator over changing results may be computed from all of them, whenever they change. */
function isComputedAnew(node: Plan, mode: OutputMode): boolean {
  if (!isOverResults(node)) return false
  if (mode === 'append') return node.kind === 'top-n' && closesTogether(node.child, node.partition)
  if (mode === 'complete') return true
  return node.kind !== 'dedup' && resultsBelow(node)?.kind === 'aggregate' && keepsItsGroups(node)
}

/** Whether rows below may be handed on once more, changed. */
function changesRows(plan: Plan): boolean {
  return nodesOf(plan).some(
    (node) =>
      node.kind === 'aggregate' ||
      node.kind === 'top-n' ||
      (node.kind === 'map-groups' && node.mapping.mode === 'update'),
  )
}

/** Whether a group is final once the watermark has passed it. */
function isClosedByWatermark(aggregate: Aggregate): boolean {
  const below = eventTimes(aggregate.child)
  return aggregate.keys.some(({ expression }) => eventTimeOf(expression, below) !== undefined)
}

/** The refusals of a finished plan in any mode. */
export function checkShape(plan: Plan): void {
  checkGroupsShape(plan)
  for (const node of nodesOf(plan)) {
    if (node.kind !== 'aggregate') refuseSessions(node)
    if (node.kind === 'arrange') continue
    if (childrenOf(node).some((child) => child.kind === 'arrange' && isStreaming(child))) {
      throw refused('order-without-complete')
    }
  }
}

/** A session in a node's own expressions, other than as the key of a group. */
function refuseSessions(node: Plan): void {
  const own = node.kind === 'project' ? node.items : node.kind === 'filter' ? node.predicate : undefined
  walk(own, (expression) => {
    if (isSession(expression)) throw refused('session-window')
    return undefined
  })
}
