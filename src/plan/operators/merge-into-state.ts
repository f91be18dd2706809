import { quoted } from '../../duckdb.ts'
import type { MergeableCall } from '../mergeable.ts'
import { type MergingStep, sameKey } from './operator.ts'

interface Tables {
  readonly state: string
  /** The partial aggregates of the batch, one row a key. */
  readonly delta: string
  /** Becomes the rows of the state that the batch brought or changed. */
  readonly touched: string
}

/** Types whose values, NULL apart, are the same key exactly when `=` says so. */
const PLAIN = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|VARCHAR|UUID|DATE|TIMESTAMP.*|DECIMAL\(.*\))$/

/**
 * Folds the partial aggregates of a batch into a state of one row a key.
 *
 * Over a large state, most of the time goes into looking for the key of every row of it in the batch. DuckDB makes a
 * Bloom filter of the batch's keys and lets it thin out that scan, but only where there is a single key, compared with
 * `=`, and where the batch's side has a filter. So the batch is given one that holds for every row, which the optimizer
 * cannot know, and the group of NULL is merged by a statement of its own.
 */
export function mergeIntoState(
  { state, delta, touched }: Tables,
  keys: readonly { readonly name: string; readonly type: string }[],
  calls: readonly MergeableCall[],
): MergingStep {
  const partials = calls.flatMap((each) => each.state)
  const columns = [...keys, ...partials].map(({ name }) => quoted(name))
  const updates = partials.map(
    ({ name: c, merge }) => `${quoted(c)} = ${merge(`s.${quoted(c)}`, `d.${quoted(c)}`)}`,
  )
  const merge = (isSame: string, where = '') =>
    `MERGE INTO ${quoted(state)} AS s USING (SELECT ${columns.join(', ')} FROM ${quoted(delta)}${where}) AS d ON ${isSame} ` +
    `WHEN MATCHED THEN UPDATE SET ${updates.join(', ') || `${columns[0]} = s.${columns[0]}`} ` +
    `WHEN NOT MATCHED THEN INSERT RETURNING ${columns.join(', ')}`
  const names = keys.map(({ name }) => name)
  const step = { returning: merge(sameKey(names, 's', 'd')), into: touched }
  const [only, ...others] = keys
  if (!only || others.length > 0 || !PLAIN.test(only.type)) return step
  const key = quoted(only.name)
  const overLarge = [
    merge(`s.${key} = d.${key}`, ` WHERE ${key} IS NOT NULL AND hash(${key}) IS NOT NULL`),
    merge(`s.${key} IS NULL`, ` WHERE ${key} IS NULL`),
  ]
  return { ...step, overLarge }
}
