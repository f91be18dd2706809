import { INPUT } from '../plan/draft.ts'
import { type Column, itemOf } from './column.ts'
import type { DataFrame } from './dataframe.ts'
import { avg, count, max, min, sum } from './functions/aggregate.ts'

/** The groups of `groupBy`, `rollup` or `cube`, waiting for their aggregates. */
export class GroupedData {
  readonly #keys: readonly Column[]
  readonly #verb: (text: string) => DataFrame
  readonly #sets: '' | 'ROLLUP' | 'CUBE'

  constructor(keys: readonly Column[], verb: (text: string) => DataFrame, sets: '' | 'ROLLUP' | 'CUBE' = '') {
    this.#keys = keys
    this.#verb = verb
    this.#sets = sets
    Object.freeze(this)
  }

  /** One row a group: its keys, then these aggregates. `SELECT page, sum(n) AS n FROM input GROUP BY page` */
  agg(...columns: readonly Column[]): DataFrame {
    const keys = this.#keys.map((key) => key.sql).join(', ')
    const groups = keys === '' ? '' : ` GROUP BY ${this.#sets === '' ? keys : `${this.#sets} (${keys})`}`
    return this.#verb(`SELECT ${[...this.#keys, ...columns].map(itemOf).join(', ')} FROM ${INPUT}${groups}`)
  }

  /** `agg(count().as('count'))` */
  count(): DataFrame {
    return this.agg(count().as('count'))
  }

  /** `agg(sum(n) AS "sum(n)", …)`; so are the ones below. */
  sum(...columns: readonly string[]): DataFrame {
    return this.#each(sum, 'sum', columns)
  }

  avg(...columns: readonly string[]): DataFrame {
    return this.#each(avg, 'avg', columns)
  }

  mean(...columns: readonly string[]): DataFrame {
    return this.avg(...columns)
  }

  min(...columns: readonly string[]): DataFrame {
    return this.#each(min, 'min', columns)
  }

  max(...columns: readonly string[]): DataFrame {
    return this.#each(max, 'max', columns)
  }

  #each(aggregate: (column: string) => Column, name: string, columns: readonly string[]): DataFrame {
    return this.agg(...columns.map((column) => aggregate(column).as(`${name}(${column})`)))
  }
}
