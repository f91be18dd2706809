import { quoted } from '../duckdb.ts'
import { call, type Expression, type FunctionCall, named } from './ast.ts'

/**
 * How an aggregate call is kept as state from batch to batch.
 *
 * Algebra: for any cut of the rows into R1 and R2, `final(merge(partial(R1), partial(R2)))` equals the call over
 * R1 and R2 together. For DOUBLE arguments the results are equal up to the order of additions.
 */
export interface MergeableCall {
  readonly state: readonly StateColumn[]
  /** SQL over the state columns. */
  readonly final: string
}

export interface StateColumn extends Merging {
  readonly name: string
  /** Over the rows of one batch. */
  readonly partial: FunctionCall
}

/** How partials become one. */
interface Merging {
  /** SQL that merges two partials, given as SQL, the older one first. */
  merge(a: string, b: string): string
  /** SQL that merges all partials of a group in any order; absent where the order of rows decides. */
  mergeAll?(column: string): string
}

type Decompose = (
  name: string,
  aggregate: FunctionCall,
  argumentType: string | undefined,
) => MergeableCall | undefined

/** DuckDB's `+`, `AND` and so on give NULL for NULL, which to an aggregate is no value at all. */
const skippingNull = (operator: string): Merging['merge'] => {
  return (a, b) => `coalesce(${a} ${operator} ${b}, ${a}, ${b})`
}

const added: Merging = { merge: skippingNull('+'), mergeAll: (column) => `sum(${column})` }
/** `least` and `greatest` skip NULL, as `min` and `max` do. */
const smallest: Merging = { merge: (a, b) => `least(${a}, ${b})`, mergeAll: (column) => `min(${column})` }
const greatest: Merging = { merge: (a, b) => `greatest(${a}, ${b})`, mergeAll: (column) => `max(${column})` }
const allTrue: Merging = { merge: skippingNull('AND'), mergeAll: (column) => `bool_and(${column})` }
const anyTrue: Merging = { merge: skippingNull('OR'), mergeAll: (column) => `bool_or(${column})` }
const bitsOfAll: Merging = { merge: skippingNull('&'), mergeAll: (column) => `bit_and(${column})` }
const bitsOfAny: Merging = { merge: skippingNull('|'), mergeAll: (column) => `bit_or(${column})` }
const earlier: Merging = { merge: (a, b) => `coalesce(${a}, ${b})` }
const later: Merging = { merge: (a, b) => `coalesce(${b}, ${a})` }
const exported: Merging = {
  merge: (a, b) => `combine(${a}, ${b})`,
  mergeAll: (column) => `list_reduce(list(${column}), lambda a, b: combine(a, b))`,
}

/** A call whose partial results are of the type of its result, and merged like it. */
const alike =
  (merging: Merging, arity = 1): Decompose =>
  (name, aggregate) =>
    aggregate.children.length === arity
      ? { state: [{ name, partial: aggregate, ...merging }], final: quoted(name) }
      : undefined

/** A call that keeps DuckDB's own state, so that its rounding is DuckDB's own too. */
const ownState =
  (arity = 1): Decompose =>
  (name, aggregate) =>
    aggregate.children.length === arity
      ? {
          state: [{ name, partial: { ...aggregate, export_state: true }, ...exported }],
          final: `finalize(${quoted(name)})`,
        }
      : undefined

/** DuckDB cannot export the state of a DECIMAL's average: its sum and count are kept instead. */
const average: Decompose = (name, aggregate, argumentType) => {
  if (!argumentType?.startsWith('DECIMAL')) return ownState()(name, aggregate, argumentType)
  const [sum, count] = [`${name}.sum`, `${name}.count`]
  return {
    state: [
      { name: sum, partial: { ...aggregate, function_name: 'sum' }, ...added },
      { name: count, partial: { ...aggregate, function_name: 'count' }, ...added },
    ],
    final: `${quoted(sum)}::DOUBLE / nullif(${quoted(count)}, 0)`,
  }
}

/** The first or last value, which may be NULL: in a struct, which is NULL only where there was no row. */
const boxed =
  (merging: Merging): Decompose =>
  (name, aggregate) => {
    const [value] = aggregate.children
    if (!value || aggregate.children.length > 1) return undefined
    const box = call('struct_pack', [named(value, 'value')])
    return {
      state: [{ name, partial: { ...aggregate, children: [box] }, ...merging }],
      final: `${quoted(name)}."value"`,
    }
  }

/** `arg_min(x, y)`: the pair with the least y, the first of them where several are. */
const pairBy =
  (comparison: '<' | '>', skipsNull: boolean): Decompose =>
  (name, aggregate) => {
    const [value, by] = aggregate.children
    if (!value || !by || aggregate.children.length > 2) return undefined
    const pair = call('struct_pack', [named(value, 'value'), named(by, 'by')])
    const filter = skipsNull ? both(aggregate.filter, isNotNull(value)) : aggregate.filter
    return {
      state: [
        {
          name,
          partial: { ...aggregate, children: [pair, by], filter },
          merge: (a, b) =>
            `CASE WHEN ${a} IS NULL OR ${b}."by" ${comparison} ${a}."by" THEN coalesce(${b}, ${a}) ELSE ${a} END`,
        },
      ],
      final: `${quoted(name)}."value"`,
    }
  }

const isNotNull = (child: Expression): Expression => ({
  class: 'OPERATOR',
  type: 'OPERATOR_IS_NOT_NULL',
  alias: '',
  children: [child],
})

function both(a: Expression | null, b: Expression): Expression {
  return a ? { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: [a, b] } : b
}

function each(names: string, decompose: Decompose): Record<string, Decompose> {
  return Object.fromEntries(names.split(' ').map((name) => [name, decompose]))
}

const CATALOGUE: Readonly<Record<string, Decompose>> = {
  count_star: alike(added, 0),
  ...each('count count_if countif sum', alike(added)),
  regr_count: alike(added, 2),
  min: alike(smallest),
  max: alike(greatest),
  bool_and: alike(allTrue),
  bool_or: alike(anyTrue),
  bit_and: alike(bitsOfAll),
  bit_or: alike(bitsOfAny),
  bitstring_agg: alike(bitsOfAny, 3),
  any_value: alike(earlier),
  ...each('first arbitrary', boxed(earlier)),
  last: boxed(later),
  ...each('arg_min argmin min_by', pairBy('<', true)),
  ...each('arg_max argmax max_by', pairBy('>', true)),
  arg_min_null: pairBy('<', false),
  arg_max_null: pairBy('>', false),
  ...each('avg mean', average),
  ...each('favg fsum kahan_sum sumkahan product bit_xor approx_count_distinct', ownState()),
  ...each('var_pop var_samp variance stddev stddev_pop stddev_samp sem', ownState()),
  ...each('skewness kurtosis kurtosis_pop', ownState()),
  ...each('corr covar_pop covar_samp regr_avgx regr_avgy regr_intercept regr_r2', ownState(2)),
  ...each('regr_slope regr_sxx regr_sxy regr_syy', ownState(2)),
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
  if (aggregate.distinct || aggregate.order_bys.orders.length > 0) return undefined
  return CATALOGUE[aggregate.function_name.toLowerCase()]?.(name, { ...aggregate, alias: '' }, argumentType)
}
