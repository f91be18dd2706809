import { INPUT } from '../plan/draft.ts'
import { type Column, itemOf } from './column.ts'
import type { DataFrame } from './dataframe.ts'
import { count } from './functions.ts'

/** The groups of `groupBy`, waiting for their aggregates. */
export class GroupedData {
  readonly #keys: readonly Column[]
  readonly #verb: (text: string) => DataFrame

  constructor(keys: readonly Column[], verb: (text: string) => DataFrame) {
    this.#keys = keys
    this.#verb = verb
    Object.freeze(this)
  }

  /** One row a group: its keys, then these aggregates. `SELECT page, sum(n) AS n FROM input GROUP BY page` */
  agg(...columns: readonly Column[]): DataFrame {
    const groups = this.#keys.length > 0 ? ` GROUP BY ${this.#keys.map((key) => key.sql).join(', ')}` : ''
    return this.#verb(`SELECT ${[...this.#keys, ...columns].map(itemOf).join(', ')} FROM ${INPUT}${groups}`)
  }

  /** `agg(count().as('count'))` */
  count(): DataFrame {
    return this.agg(count().as('count'))
  }
}
