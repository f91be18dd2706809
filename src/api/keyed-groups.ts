import type { Schema } from '../batch.ts'
import { parseDuckType, typeText } from '../duck-type.ts'
import type { Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { GroupsDraft } from '../plan/draft.ts'
import type { GroupState, GroupTimeout } from '../plan/group-state.ts'
import type { GroupMapping } from '../plan/plan.ts'
import { parseSchemaText } from '../plan/schema-text.ts'
import { isAsync } from '../user-code.ts'
import { refuseUnlessCrossing } from '../user-functions.ts'
import type { Column } from './column.ts'
import type { DataFrame } from './dataframe.ts'

export { GroupState, type GroupTimeout } from '../plan/group-state.ts'

/** Names and DuckDB or Spark types: `{ total: 'DOUBLE' }`, or in one text: `'total DOUBLE'`. */
export type Fields = Readonly<Record<string, string>> | string

export interface GroupOptions {
  /** What is kept for a key: fields with their types, or `json` for anything that JSON can hold. */
  readonly state: Fields | 'json'
  /** The columns of the rows that the function answers. */
  readonly output: Fields
  /** Whether a key without rows is called, by the time of a batch or by the watermark. Default `none`. */
  readonly timeout?: GroupTimeout
}

export interface FlatGroupOptions extends GroupOptions {
  /** `append` where rows are final, `update` where a later row of the key replaces them; that of the query. */
  readonly outputMode: 'append' | 'update'
}

/** Called for a key with its rows of the batch, in their order; for a timeout, without rows. */
export type GroupFunction<S, R> = (key: Row, rows: readonly Row[], state: GroupState<S>) => R

/** The groups of `groupByKey`, waiting for their function. */
export class KeyedGroups {
  readonly #keys: readonly { readonly column: Column; readonly name: string }[]
  readonly #apply: (groups: GroupsDraft['groups']) => DataFrame

  constructor(
    keys: readonly { readonly column: Column; readonly name: string }[],
    apply: (groups: GroupsDraft['groups']) => DataFrame,
  ) {
    this.#keys = keys
    this.#apply = apply
    Object.freeze(this)
  }

  /**
   * One row a call; update mode only. The state is kept in the checkpoint from batch to batch.
   *
   * @throws UDF_INVALID, TYPE_UNKNOWN; what Spark refuses, when the DataFrame is used
   */
  mapGroupsWithState<S = Row>(options: GroupOptions, code: GroupFunction<S, Row>): DataFrame {
    return this.#mapped(
      'mapGroupsWithState',
      { ...options, outputMode: 'update' },
      code as GroupMapping['code'],
    )
  }

  /**
   * Any number of rows a call, as an array or from a generator. The state is kept in the checkpoint from batch to batch.
   *
   * @throws UDF_INVALID, TYPE_UNKNOWN; what Spark refuses, when the DataFrame is used
   */
  flatMapGroupsWithState<S = Row>(
    options: FlatGroupOptions,
    code: GroupFunction<S, Iterable<Row>>,
  ): DataFrame {
    return this.#mapped('flatMapGroupsWithState', options, code as GroupMapping['code'])
  }

  #mapped(call: string, options: FlatGroupOptions, code: GroupMapping['code']): DataFrame {
    const { timeout = 'none', outputMode } = options
    const refuse = (reason: string) => new SluiceError('UDF_INVALID', { name: call, reason })
    if (typeof code !== 'function') throw refuse('it is no function')
    if (isAsync(code))
      throw refuse('it is async, and a batch cannot wait for a key; use foreachBatch for calls that wait')
    if (!['none', 'processingTime', 'eventTime'].includes(timeout))
      throw refuse(`timeout is '${timeout}'; give none, processingTime or eventTime`)
    if (!['append', 'update'].includes(outputMode))
      throw refuse(`outputMode is '${outputMode}'; give append or update`)
    const keys = this.#keys.map(({ name, column }) => ({ name, sql: column.sql }))
    if (keys.length === 0) throw refuse('groupByKey needs at least one key')
    const mapping = {
      name: call,
      code,
      isFlat: call === 'flatMapGroupsWithState',
      state: options.state === 'json' ? options.state : schemaOf(call, options.state),
      output: schemaOf(call, options.output),
      timeout,
      mode: outputMode,
    } as const
    return this.#apply({ keys, mapping })
  }
}

/** @throws UDF_INVALID for types that have no values in TypeScript */
function schemaOf(call: string, fields: Fields): Schema {
  const named = typeof fields === 'string' ? parseSchemaText(fields) : fields
  return Object.entries(named).map(([name, type]) => {
    refuseUnlessCrossing(call, type)
    return { name, type: typeText(parseDuckType(type)) }
  })
}
