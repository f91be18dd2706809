import { SluiceError } from '../errors.ts'

const SQL = {
  inner: 'JOIN',
  left: 'LEFT JOIN',
  right: 'RIGHT JOIN',
  full: 'FULL JOIN',
  semi: 'SEMI JOIN',
  anti: 'ANTI JOIN',
  asof: 'ASOF JOIN',
  asof_left: 'ASOF LEFT JOIN',
  // As Spark also calls them.
  outer: 'FULL JOIN',
  left_outer: 'LEFT JOIN',
  right_outer: 'RIGHT JOIN',
  full_outer: 'FULL JOIN',
  left_semi: 'SEMI JOIN',
  left_anti: 'ANTI JOIN',
} as const

/** Kinds of joins, by Spark's names; `asof` takes of the other side the latest row that fits, as DuckDB's ASOF JOIN does. */
export type JoinKind = keyof typeof SQL

/**
 * @param kind with or without `_`, in any case
 * @throws OPTION_INVALID
 */
export function joinSql(kind: string): string {
  const meant = Object.entries(SQL).find(([name]) => plain(name) === plain(kind))
  if (meant) return meant[1]
  const expected = `one of ${Object.keys(SQL).join(', ')}`
  throw new SluiceError('OPTION_INVALID', { owner: 'join', option: 'type', value: kind, expected })
}

const plain = (name: string): string => name.replaceAll('_', '').toLowerCase()
