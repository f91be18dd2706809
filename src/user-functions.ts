import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBScalarFunction,
  type DuckDBType,
  FLOAT,
  HUGEINT,
  INTEGER,
  JSDuckDBValueConverter,
  LIST,
  MAP,
  SMALLINT,
  STRUCT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  TINYINT,
  UBIGINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import * as arrow from 'apache-arrow'
import { arrowData, arrowTypeOf } from './arrow.ts'
import { FIXED_WIDTH, fillVector } from './attach.ts'
import { type DuckType, parseDuckType, typeText } from './duck-type.ts'
import { reasonOf, SluiceError } from './errors.ts'
import { dataOf } from './rows.ts'
import { answerOf, userCodeFailed } from './user-code.ts'

/** A function in TypeScript that SQL can call. */
export interface UserFunction {
  readonly name: string
  /** DuckDB types. */
  readonly arguments: readonly string[]
  readonly returns: string
  /** Called for rows with a NULL argument too; else their result is NULL. */
  readonly seesNulls: boolean
  /** The same arguments always give the same result. */
  readonly isDeterministic: boolean
  /** Called once for up to 2,048 rows, with an Arrow vector an argument; else once a row, with values as in `Row`. */
  readonly isVectorized: boolean
  readonly code: (...values: never[]) => unknown
}

/** `price(BIGINT, VARCHAR) -> DOUBLE` */
export function signatureOf(each: UserFunction): string {
  return `${each.name}(${each.arguments.join(', ')}) -> ${each.returns}`
}

interface Registered {
  current: UserFunction
  readonly kinds: readonly DuckType[]
  readonly returns: DuckType
}

/**
 * The functions in TypeScript of one database, by the scalar functions of DuckDB's C API. They run on the JavaScript
 * thread, called from DuckDB's: no query that calls one may be waited for synchronously.
 *
 * Invariant: an exception in a function fails the statement that called it; it can neither be skipped nor end the process.
 */
export class UserFunctions {
  readonly #registered = new Map<string, Registered>()
  readonly #failures = new Map<string, SluiceError>()
  readonly #connection: DuckDBConnection

  /** @param connection that runs nothing else: registering waits for its lock on the JavaScript thread */
  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  /** By lower-case name. */
  get(name: string): UserFunction | undefined {
    return this.#registered.get(name.toLowerCase())?.current
  }

  get names(): readonly string[] {
    return [...this.#registered.keys()]
  }

  /**
   * Makes a function known to all connections. One of the same name and types is replaced, also in running queries,
   * from their next statement on.
   *
   * @throws UDF_INVALID
   */
  register(given: UserFunction): void {
    const kinds = given.arguments.map(parseDuckType)
    const returns = parseDuckType(given.returns)
    const each = { ...given, arguments: kinds.map(typeText), returns: typeText(returns) }
    const known = this.#registered.get(each.name.toLowerCase())
    if (known && signatureOf(known.current) !== signatureOf({ ...each, name: known.current.name })) {
      throw invalid(
        each,
        `it is registered as ${signatureOf(known.current)} already, and its types must stay`,
      )
    }
    if (known && known.current.isDeterministic !== each.isDeterministic) {
      throw invalid(each, 'it is registered already, and whether it is deterministic must stay')
    }
    if (known) known.current = each
    else this.#add({ current: each, kinds, returns })
  }

  /** The failure of a function that DuckDB reports with this message. */
  failure(message: string): SluiceError | undefined {
    const name = FAILED.exec(message)?.[1]
    return name === undefined ? undefined : this.#failures.get(name)
  }

  close(): void {
    this.#connection.disconnectSync()
  }

  #add(entry: Registered): void {
    const { current, kinds, returns } = entry
    const scalar = DuckDBScalarFunction.create({
      name: current.name,
      parameterTypes: kinds.map((kind) => nativeType(current, kind)),
      returnType: nativeType(current, returns),
      specialHandling: true,
      volatile: !current.isDeterministic,
      mainFunction: () => undefined,
    })
    duckdb.scalar_function_set_function(scalar.scalar_function, (info, input, output) => {
      try {
        run(entry, new DuckDBDataChunk(input), output)
      } catch (error) {
        const name = current.name.toLowerCase()
        this.#failures.set(name, userCodeFailed(current.name, error))
        duckdb.scalar_function_set_error(info, `user function "${name}" failed`)
      }
    })
    try {
      this.#connection.registerScalarFunction(scalar)
    } catch (error) {
      throw invalid(current, reasonOf(error))
    }
    this.#registered.set(current.name.toLowerCase(), entry)
  }
}

const FAILED = /user function "(.+)" failed/

/** One call of DuckDB's: up to 2,048 rows. */
function run({ current, kinds, returns }: Registered, input: DuckDBDataChunk, output: duckdb.Vector): void {
  const rows = input.rowCount
  const result = current.isVectorized
    ? vectorResult(current, kinds, returns, input)
    : dataOf(returns, rowResults(current, kinds, input))
  fillVector(output, returns, result, 0, rows)
}

function rowResults(each: UserFunction, kinds: readonly DuckType[], input: DuckDBDataChunk): unknown[] {
  const columns = kinds.map((_, index) => input.convertColumnValues(index, JSDuckDBValueConverter))
  const call = each.code as (...values: unknown[]) => unknown
  return Array.from({ length: input.rowCount }, (_, row) => {
    const values = columns.map((column) => column[row])
    if (!each.seesNulls && values.includes(null)) return null
    return answerOf(call(...values))
  })
}

function vectorResult(
  each: UserFunction,
  kinds: readonly DuckType[],
  returns: DuckType,
  input: DuckDBDataChunk,
): arrow.Data {
  const rows = input.rowCount
  const columns = kinds.map((kind, index) => new arrow.Vector([columnData(kind, input, index)]))
  const call = each.code as (...values: unknown[]) => unknown
  const answer = answerOf(columns.length === 0 ? call(rows) : call(...columns))
  const values = answeredColumn(answer, rows, returns)
  if (each.seesNulls || columns.every((column) => column.nullCount === 0)) {
    return values instanceof arrow.Vector && values.data.length === 1
      ? (values.data[0] as arrow.Data)
      : dataOf(returns, [...values])
  }
  const masked = [...values].map((value, row) =>
    columns.every((column) => column.isValid(row)) ? value : null,
  )
  return dataOf(returns, masked)
}

/** A column that a vectorized function answers: an Arrow vector of the declared type, a typed array, or an array. */
function answeredColumn(answer: unknown, rows: number, returns: DuckType): Iterable<unknown> {
  const isColumn =
    answer instanceof arrow.Vector ||
    Array.isArray(answer) ||
    (ArrayBuffer.isView(answer) && !(answer instanceof DataView))
  if (!isColumn) throw new SluiceError('VALUE_INVALID', { type: 'a column', found: typeof answer })
  const column = answer as Iterable<unknown> & { readonly length: number }
  if (column.length !== rows) {
    const found = `a column of ${column.length} rows`
    throw new SluiceError('VALUE_INVALID', { type: `a column of ${rows} rows`, found })
  }
  if (!(column instanceof arrow.Vector)) return column
  const expected = arrowTypeOf(returns)
  if (String(column.type) === String(expected)) return column
  const found = `an Arrow vector of ${column.type}`
  throw new SluiceError('VALUE_INVALID', { type: `an Arrow vector of ${expected}`, found })
}

/** A column of a chunk in Arrow buffers of its own: DuckDB uses the memory of the chunk again. */
function columnData(kind: DuckType, input: DuckDBDataChunk, index: number): arrow.Data {
  const width = kind.kind === 'scalar' ? FIXED_WIDTH[kind.name] : undefined
  if (width === undefined || kind.kind !== 'scalar') return arrowData(kind, input.getColumnValues(index))
  const rows = input.rowCount
  const type = arrowTypeOf(kind)
  const vector = duckdb.data_chunk_get_vector(input.chunk, index)
  const bytes = duckdb.vector_get_data(vector, rows * width).slice()
  const data = new (type.ArrayType as new (buffer: ArrayBuffer) => Float64Array)(bytes.buffer as ArrayBuffer)
  const validity = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8) as Uint8Array | null
  const nulls = validity ? { nullBitmap: validity.slice(), nullCount: -1 } : {}
  return arrow.makeData({ type, length: rows, data, ...nulls } as never)
}

const NATIVE: Readonly<Record<string, DuckDBType>> = {
  BOOLEAN,
  TINYINT,
  SMALLINT,
  INTEGER,
  BIGINT,
  HUGEINT,
  UTINYINT,
  USMALLINT,
  UINTEGER,
  UBIGINT,
  FLOAT,
  DOUBLE,
  VARCHAR,
  BLOB,
  DATE,
  TIME,
  TIMESTAMP,
  'TIMESTAMP WITH TIME ZONE': TIMESTAMPTZ,
}

/** @throws UDF_INVALID */
function nativeType({ name }: { readonly name: string }, type: DuckType): DuckDBType {
  switch (type.kind) {
    case 'decimal':
      return DECIMAL(type.width, type.scale)
    case 'list':
      return LIST(nativeType({ name }, type.child))
    case 'struct':
      return STRUCT(
        Object.fromEntries(type.fields.map((field) => [field.name, nativeType({ name }, field.type)])),
      )
    case 'map':
      return MAP(nativeType({ name }, type.key), nativeType({ name }, type.value))
    default: {
      const native = type.kind === 'scalar' ? NATIVE[type.name] : undefined
      if (native) return native
      const reason = `values of ${typeText(type)} cannot cross; cast to VARCHAR or a list around the call`
      throw invalid({ name }, reason)
    }
  }
}

/**
 * Whether values of a type can pass between SQL and TypeScript.
 *
 * @throws UDF_INVALID
 */
export function refuseUnlessCrossing(name: string, type: string): void {
  nativeType({ name }, parseDuckType(type))
}

function invalid({ name }: { readonly name: string }, reason: string): SluiceError {
  return new SluiceError('UDF_INVALID', { name, reason })
}
