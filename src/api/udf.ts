import { SluiceError } from '../errors.ts'
import { isAsync } from '../user-code.ts'
import type { UserFunctions } from '../user-functions.ts'
import type { Column } from './column.ts'
import { type ColumnOrName, callUdf } from './functions/column-name.ts'

/** What DuckDB has to know of a function. */
export interface UdfOptions {
  /** DuckDB or Spark types, in order: `['BIGINT', 'STRUCT(a INTEGER, b VARCHAR[])']`. */
  readonly arguments: readonly string[]
  /** The type of what it answers. */
  readonly returns: string
  /** `skip` (default): a row with a NULL argument gives NULL without a call. `pass`: the function sees null. */
  readonly nulls?: 'skip' | 'pass'
  /** Default true. Of a function that is not, a batch that is replayed after a crash may have other rows. */
  readonly deterministic?: boolean
  /**
   * Default false: called row by row, with values as in `Row`. True: called with one Arrow vector an argument, of up
   * to 2,048 rows (without arguments, with their number), and answers an Arrow vector, a typed array or an array.
   */
  readonly vectorized?: boolean
}

/** Functions in TypeScript for SQL and DataFrames: `session.udf`. */
export class UdfRegistration {
  readonly #functions: UserFunctions

  constructor(functions: UserFunctions) {
    this.#functions = functions
    Object.freeze(this)
  }

  /**
   * Lets SQL and DataFrames of this session, streaming or not, call a function by its name. It runs in this process,
   * on the JavaScript thread. An exception in it fails the query with UDF_FAILED, at the batch that it stopped.
   * Registered again with the same types, the code is replaced, also in running queries.
   *
   * @returns the function over columns: `const net = session.udf.register('net', …)`, then `net('price', lit(2))`
   * @throws UDF_INVALID, TYPE_UNKNOWN
   */
  register<A extends readonly unknown[]>(
    name: string,
    code: (...values: A) => unknown,
    options: UdfOptions,
  ): (...columns: readonly ColumnOrName[]) => Column {
    const refuse = (reason: string) => new SluiceError('UDF_INVALID', { name, reason })
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw refuse('a name has letters, digits and _, and begins with no digit')
    if (typeof code !== 'function') throw refuse('it is no function')
    if (isAsync(code))
      throw refuse('it is async, and DuckDB cannot wait for a row; use foreachBatch for calls that wait')
    this.#functions.register({
      name,
      arguments: options.arguments,
      returns: options.returns,
      seesNulls: options.nulls === 'pass',
      isDeterministic: options.deterministic ?? true,
      isVectorized: options.vectorized ?? false,
      code,
    })
    return (...columns) => callUdf(name, ...columns)
  }
}
