import { quoted } from '../../duckdb.ts'
import type { Aggregate } from '../plan.ts'
import { changedOf, handOn, type Operator, type OperatorContext, sameKey } from './operator.ts'

/**
 * An aggregation of which some calls are merged and some are computed from kept values: an operator for each kind, over
 * the same rows, and a view that puts their results together.
 *
 * Algebra: both have the same groups, since they have the same keys, drop the same late rows and hand on by the same rule.
 */
export function inTwoParts(
  aggregate: Aggregate,
  merged: Operator,
  values: Operator,
  { name, mode }: OperatorContext,
): readonly Operator[] {
  const keys = aggregate.keys.map((key) => key.name)
  const columns = [
    ...keys.map((key) => `m.${quoted(key)}`),
    ...aggregate.calls.map((each) => quoted(each.name)),
  ].join(', ')
  const together = (m: string, v: string) =>
    `SELECT ${columns} FROM ${quoted(m)} AS m JOIN ${quoted(v)} AS v ON ${sameKey(keys, 'm', 'v')}`
  const all = together(merged.name, values.name)
  const changed = mode === 'all-and-changed' ? together(changedOf(merged.name), changedOf(values.name)) : all
  const views = handOn('VIEW', name, mode, { append: all, update: changed, complete: all })
  // Both meet the same late rows: one of them says so.
  return [merged, { ...values, prepare: [...values.prepare, ...views], late: undefined }]
}
