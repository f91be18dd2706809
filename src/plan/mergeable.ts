import { quoted } from '../duckdb.ts'
import type { FunctionCall } from './ast.ts'

/**
 * How an aggregate call is kept as state from batch to batch.
 *
 * Algebra: for any cut of the rows into R1 and R2, `final(merge(partial(R1), partial(R2)))` equals the call over
 * R1 and R2 together. For DOUBLE arguments the sums are equal up to the order of additions.
 */
export interface MergeableCall {
  readonly state: readonly StateColumn[]
  /** SQL over the state columns. */
  readonly final: string
}

export interface StateColumn {
  readonly name: string
  /** Over the rows of one batch. */
  readonly partial: FunctionCall
  /** SQL that merges two partials, given as SQL. */
  merge(a: string, b: string): string
}

type Decompose = (name: string, aggregate: FunctionCall, argumentType: string | undefined) => MergeableCall

const single = (name: string, partial: FunctionCall, merge: StateColumn['merge']): MergeableCall => ({
  state: [{ name, partial, merge }],
  final: quoted(name),
})

const plus = (a: string, b: string): string => `coalesce(${a} + ${b}, ${a}, ${b})`

/**
 * DuckDB's own state of an average, so that its rounding is DuckDB's own too. It cannot finalize a DECIMAL's, whose
 * sum and count are kept instead.
 */
const average: Decompose = (name, aggregate, argumentType) => {
  if (argumentType?.startsWith('DECIMAL')) {
    const [sum, count] = [`${name}.sum`, `${name}.count`]
    return {
      state: [
        { name: sum, partial: { ...aggregate, function_name: 'sum' }, merge: plus },
        { name: count, partial: { ...aggregate, function_name: 'count' }, merge: plus },
      ],
      final: `${quoted(sum)}::DOUBLE / nullif(${quoted(count)}, 0)`,
    }
  }
  return {
    state: [{ name, partial: { ...aggregate, export_state: true }, merge: (a, b) => `combine(${a}, ${b})` }],
    final: `finalize(${quoted(name)})`,
  }
}

/** `least` and `greatest` skip NULL, as `min` and `max` do. */
const CATALOGUE: Readonly<Record<string, Decompose>> = {
  count: (name, aggregate) => single(name, aggregate, plus),
  count_star: (name, aggregate) => single(name, aggregate, plus),
  sum: (name, aggregate) => single(name, aggregate, plus),
  min: (name, aggregate) => single(name, aggregate, (a, b) => `least(${a}, ${b})`),
  max: (name, aggregate) => single(name, aggregate, (a, b) => `greatest(${a}, ${b})`),
  avg: average,
  mean: average,
}

/**
 * @param argumentType type of the first argument, as `DESCRIBE` prints it
 * @returns undefined for a call whose state cannot be merged: its arguments have to be kept
 */
export function mergeable(
  name: string,
  aggregate: FunctionCall,
  argumentType: string | undefined,
): MergeableCall | undefined {
  const decompose = CATALOGUE[aggregate.function_name.toLowerCase()]
  const isPlain =
    !aggregate.distinct && aggregate.order_bys.orders.length === 0 && aggregate.children.length <= 1
  return decompose && isPlain ? decompose(name, { ...aggregate, alias: '' }, argumentType) : undefined
}
