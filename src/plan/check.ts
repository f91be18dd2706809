import { SluiceError } from '../errors.ts'
import type { OutputMode } from '../output-mode.ts'
import { aggregatesOf, nodesOf, type Plan } from './plan.ts'

/**
 * Everything a streaming query may not do, in one list: what it is, why, and what to write instead.
 * `sql/unsupported/<key>.sql` shows each one, and a test runs them all.
 */
export const REFUSALS = {
  'select-distinct': {
    what: 'SELECT DISTINCT on a stream',
    why: 'every row ever seen would have to be remembered',
    instead: 'GROUP BY the columns in update mode',
  },
  'window-function': {
    what: 'a window function (OVER) on a stream',
    why: 'rows still to come would change answers already given',
    instead: 'aggregate with GROUP BY',
  },
  qualify: {
    what: 'QUALIFY on a stream',
    why: 'it filters by a window function, which rows still to come would change',
    instead: 'aggregate with GROUP BY, for example max(…)',
  },
  'grouping-sets': {
    what: 'GROUPING SETS, ROLLUP or CUBE on a stream',
    why: 'each set needs a state of its own',
    instead: 'one query a grouping',
  },
  sample: {
    what: 'USING SAMPLE on a stream',
    why: 'a replayed batch must give the same rows again',
    instead: 'a deterministic filter such as WHERE hash(key) % 100 = 0',
  },
  'set-operation': {
    what: 'UNION, INTERSECT or EXCEPT without ALL on a stream',
    why: 'removing duplicates or differences needs every row ever seen',
    instead: 'UNION ALL',
  },
  'union-with-static': {
    what: 'a union of a stream with a static relation',
    why: 'the static rows would come again in every batch',
    instead: 'two queries, or write the static rows to the sink once',
  },
  'stream-join': {
    what: 'a join of two streams',
    why: 'rows of both sides would have to be kept until their partners come',
    instead: 'a join of one stream with a static table',
  },
  'static-outer-join': {
    what: 'a join that keeps all rows of the static side',
    why: 'whether a static row never finds a partner is known only at the end of the stream',
    instead: 'an inner join, or a LEFT JOIN with the stream on the left',
  },
  'stream-in-subquery': {
    what: 'a stream inside a subquery expression (IN, EXISTS, scalar subquery)',
    why: 'its answer would change with every batch',
    instead: 'put the stream into FROM and the static table into the subquery',
  },
  'recursive-cte': {
    what: 'WITH RECURSIVE over a stream',
    why: 'a recursion needs its whole input at once',
    instead: 'a recursion over a static table',
  },
  'aggregate-function': {
    what: 'an aggregate function other than count, sum, avg, min and max on a stream',
    why: 'its state cannot be merged from batch to batch yet',
    instead: 'count, sum, avg, min or max',
  },
  'event-time-window': {
    what: 'window, tumble, hop and session_window on a stream',
    why: 'event-time windows need a watermark to be emitted and forgotten, which the engine does not keep yet',
    instead: "GROUP BY time_bucket(INTERVAL '1 minute', at) in update or complete mode",
  },
  'distinct-aggregate': {
    what: 'DISTINCT or ORDER BY inside an aggregate on a stream',
    why: 'every value ever seen would have to be remembered',
    instead: 'two queries: GROUP BY the value first',
  },
  'nested-aggregate': {
    what: 'an aggregate over an aggregate on a stream',
    why: 'results of the inner one change, and the outer one would have to take rows back',
    instead: 'a second query over the sink of the first',
  },
  'union-above-aggregate': {
    what: 'a union or join above an aggregate on a stream',
    why: 'the changing rows of the aggregate would be mixed with rows that do not change',
    instead: 'aggregate the union, or join before the aggregation',
  },
  'order-without-complete': {
    what: 'ORDER BY or LIMIT on a stream',
    why: 'an order over rows still to come does not exist',
    instead: 'outputMode complete with an aggregation, or sort in the reader of the sink',
  },
  'aggregate-in-append': {
    what: 'an aggregation in append mode',
    why: 'a group may still change, and append cannot take a row back',
    instead: 'outputMode update or complete',
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
 * The refusals that depend on the whole plan or on the output mode; those that show in one clause are raised
 * while the plan is built.
 *
 * @throws STREAMING_UNSUPPORTED
 */
export function checkOutputMode(plan: Plan, mode: OutputMode): void {
  const aggregates = aggregatesOf(plan)
  if (aggregates.length > 0 && mode === 'append') throw refused('aggregate-in-append')
  if (aggregates.length === 0 && mode === 'complete') throw refused('complete-without-aggregate')
  if (mode !== 'complete' && nodesOf(plan).some((node) => node.kind === 'arrange')) {
    throw refused('order-without-complete')
  }
}

/** The refusals of a finished plan in any mode. */
export function checkShape(plan: Plan): void {
  const aggregates = aggregatesOf(plan)
  if (aggregates.some((aggregate) => aggregatesOf(aggregate.child).length > 0))
    throw refused('nested-aggregate')
  for (const node of nodesOf(plan)) {
    const mixes = node.kind === 'union' || node.kind === 'join'
    if (mixes && aggregatesOf(node).length > 0) throw refused('union-above-aggregate')
    if (node.kind === 'aggregate' && nodesOf(node.child).some((below) => below.kind === 'arrange')) {
      throw refused('order-without-complete')
    }
  }
}
