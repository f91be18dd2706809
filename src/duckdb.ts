import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBMaterializedResult,
  type DuckDBType,
  type DuckDBValue,
  version,
} from '@duckdb/node-api'
import * as arrow from 'apache-arrow'
import { arrowData, arrowTypeOf } from './arrow.ts'
import { isBulk } from './attach.ts'
import type { Schema } from './batch.ts'
import { parseDuckType } from './duck-type.ts'
import { type ErrorCode, type ErrorParams, reasonOf, SluiceError } from './errors.ts'
import { ATTACHED_LISTS, ATTACHED_RECORDS, type Attached, RecordsScan } from './records-scan.ts'
import type { RowReader } from './row-reader.ts'
import { UserFunctions } from './user-functions.ts'

/**
 * A row as a plain object. 64-bit and larger integers are bigint, DECIMAL and DOUBLE number, timestamps and dates
 * `Date`, BLOB `Uint8Array`, LIST array, STRUCT object, MAP an array of `{ key, value }`. Arrow is exact throughout.
 */
export type Row = Record<string, unknown>

/** The version that plans and aggregate states are made by; a checkpoint remembers it. */
export const duckdbVersion: string = version()

/** An in-memory DuckDB that every session owns one of. */
export class Database {
  readonly #instance: DuckDBInstance
  readonly #scan: RecordsScan
  /** Functions in TypeScript, known to all connections. */
  readonly functions: UserFunctions

  private constructor(instance: DuckDBInstance, scan: RecordsScan, functions: UserFunctions) {
    this.#instance = instance
    this.#scan = scan
    this.functions = functions
  }

  static async open(): Promise<Database> {
    // Nothing may be downloaded at run time: a missing extension is an error, not a network call.
    const instance = await DuckDBInstance.create(':memory:', {
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    })
    const connection = await instance.connect()
    // One core is for JavaScript. With a thread for each, whoever waits for a statement polls on that core until it is done.
    await connection.run("SET threads = greatest(1, current_setting('threads') - 1)")
    // It makes `row_number() … = 1` an arg_min, which in DuckDB 1.5.6 takes any row where the order has a NULL.
    await connection.run("SET disabled_optimizers = 'top_n_window_elimination'")
    const scan = new RecordsScan()
    for (const each of scan.tableFunctions) connection.registerTableFunction(each)
    return new Database(instance, scan, new UserFunctions(connection))
  }

  async connect(): Promise<Connection> {
    const native = await this.#instance.connect()
    const connection = new Connection(native, this.#scan, this.functions, () => this.connect())
    // Time zone of the host must not change an answer.
    await connection.run("SET TimeZone = 'UTC'")
    return connection
  }

  close(): void {
    this.functions.close()
    this.#instance.closeSync()
  }
}

/** What a temporary view over attached records reads. */
interface View {
  readonly attached: Attached
  readonly columns: readonly string[] | undefined
}

/**
 * One connection: one statement at a time, its own temporary tables, its own transaction.
 *
 * Every call takes exactly one statement, so text from a user cannot smuggle in a second one.
 */
export class Connection {
  readonly #connection: DuckDBConnection
  readonly #scan: RecordsScan
  readonly #attached = new Map<string, View>()
  readonly #connect: () => Promise<Connection>
  /** What SQL on this connection can call beside DuckDB's own functions. */
  readonly functions: UserFunctions
  #isClosed = false

  constructor(
    connection: DuckDBConnection,
    scan: RecordsScan,
    functions: UserFunctions,
    connect: () => Promise<Connection>,
  ) {
    this.#connection = connection
    this.#scan = scan
    this.functions = functions
    this.#connect = connect
  }

  /** Another connection to the same database, for a transaction of its own. */
  sibling(): Promise<Connection> {
    return this.#connect()
  }

  /** @throws SQL_SYNTAX, SQL_INVALID, SQL_FAILED, SQL_MANY_STATEMENTS */
  async run(sql: string, params: readonly DuckDBValue[] = []): Promise<void> {
    await this.#execute(sql, params)
  }

  async rows(sql: string, params: readonly DuckDBValue[] = []): Promise<Row[]> {
    const result = await this.#execute(sql, params)
    return (await result.getRowObjectsJS()) as Row[]
  }

  /** As `rows`, in pieces of some thousands; until the last is taken, the connection runs nothing else. */
  async *pieces(select: string): AsyncGenerator<Row[]> {
    try {
      const result = await this.#connection.stream(select)
      for await (const rows of result.yieldRowObjectJs()) yield rows as Row[]
    } catch (error) {
      throw this.#error(error)
    }
  }

  /** The first column of the first row. */
  async value(sql: string, params: readonly DuckDBValue[] = []): Promise<unknown> {
    const result = await this.#execute(sql, params)
    return (await result.getRowsJS())[0]?.[0]
  }

  async arrow(sql: string, params: readonly DuckDBValue[] = []): Promise<arrow.Table> {
    const result = await this.#execute(sql, params)
    const types = result.columnTypes().map((type) => parseDuckType(type.toString()))
    const columns = await result.getColumns()
    const names = result.deduplicatedColumnNames()
    const fields = names.map((name, i) => new arrow.Field(name, arrowTypeOf(types[i]!), true))
    const data = arrow.makeData({
      type: new arrow.Struct(fields),
      length: columns[0]?.length ?? 0,
      nullCount: 0,
      children: types.map((type, i) => arrowData(type, columns[i] ?? [])),
    })
    return new arrow.Table(new arrow.RecordBatch(new arrow.Schema(fields), data))
  }

  /** Names and types of a SELECT's columns, without running it. */
  async describe(select: string): Promise<Schema> {
    const rows = await this.rows(`DESCRIBE ${select}`)
    return rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }))
  }

  /**
   * Lets SQL on this connection read Arrow record batches as the temporary view `name`, in place of what was attached
   * under that name before. They are read where they lie, whenever a query asks: they must not change.
   *
   * @param columns the only ones that the view is to have. It is worth saying where records are many: JavaScript, which may
   * be busy, is then asked for some ten thousand rows at a time.
   * @param reader adds columns of its own; all columns that are named have to be of types without parts
   */
  async attach(
    name: string,
    schema: Schema,
    records: readonly arrow.RecordBatch[],
    columns?: readonly string[],
    reader?: RowReader,
  ): Promise<void> {
    const known = this.#attached.get(name)
    if (
      known &&
      known.attached.reader === reader &&
      isSame(known.attached.schema, schema) &&
      String(known.columns) === String(columns)
    ) {
      known.attached.records = records
      return
    }
    if (known) this.#scan.remove(known.attached)
    const types = await this.#typesOf([...schema, ...(reader?.schema ?? [])])
    const attached = this.#scan.add(schema, types, reader)
    this.#attached.set(name, { attached, columns })
    await this.run(`CREATE OR REPLACE TEMP VIEW ${quoted(name)} AS ${selectAttached(attached, columns)}`)
    attached.records = records
  }

  /** Appends the rows of a SELECT to a temporary table of another connection with the same types, vector by vector. */
  async copyRows(select: string, target: Connection, table: string): Promise<void> {
    try {
      const result = await this.#connection.stream(select)
      const appender = await target.#connection.createAppender(table, 'main', 'temp')
      try {
        for (let chunk = await result.fetchChunk(); chunk?.rowCount; chunk = await result.fetchChunk()) {
          appender.appendDataChunk(chunk)
        }
      } finally {
        appender.closeSync()
      }
    } catch (error) {
      throw this.#error(error)
    }
  }

  /** Runs a statement and appends the rows that it returns to a temporary table with the same types, vector by vector. */
  async collect(statement: string, table: string): Promise<void> {
    const result = await this.#execute(statement, [])
    try {
      const appender = await this.#connection.createAppender(table, 'main', 'temp')
      try {
        for (let index = 0; index < result.chunkCount; index++)
          appender.appendDataChunk(result.getChunk(index))
      } finally {
        appender.closeSync()
      }
    } catch (error) {
      throw sqlError(error)
    }
  }

  /** Stops the running statement; it then fails with SQL_FAILED. */
  interrupt(): void {
    this.#connection.interrupt()
  }

  close(): void {
    this.#isClosed = true
    for (const { attached } of this.#attached.values()) this.#scan.remove(attached)
    this.#attached.clear()
    this.#connection.disconnectSync()
  }

  #error(error: unknown): SluiceError {
    return this.functions.failure(reasonOf(error)) ?? sqlError(error)
  }

  async #typesOf(schema: Schema): Promise<DuckDBType[]> {
    const columns = schema.map(({ name, type }) => `NULL::${type} AS ${quoted(name)}`)
    return (await this.#execute(`SELECT ${columns.join(', ')} LIMIT 0`, [])).columnTypes()
  }

  async #execute(sql: string, params: readonly DuckDBValue[]): Promise<DuckDBMaterializedResult> {
    if (this.#isClosed) throw new SluiceError('SESSION_CLOSED', {})
    try {
      const prepared = await this.#connection.prepare(sql)
      try {
        if (params.length > 0) prepared.bind([...params])
        return await prepared.run()
      } finally {
        prepared.destroySync()
      }
    } catch (error) {
      throw this.#error(error)
    }
  }
}

/** Result rows that a sink reads: a temporary table of the query's own connection. */
export class Relation {
  readonly schema: Schema
  readonly rows: number
  /** Quoted and qualified, to be put into SQL run on `connection`. */
  readonly name: string
  readonly connection: Connection

  constructor(connection: Connection, name: string, schema: Schema, rows: number) {
    this.connection = connection
    this.name = name
    this.schema = schema
    this.rows = rows
  }

  toArrow(): Promise<arrow.Table> {
    return this.connection.arrow(`FROM ${this.name}`)
  }

  toObjects(): Promise<Row[]> {
    return this.connection.rows(`FROM ${this.name}`)
  }
}

/** Lists of rows are undone by DuckDB, at next to no price; but all columns that are named it asks for. */
function selectAttached({ id, schema, reader }: Attached, columns: readonly string[] | undefined): string {
  if (!columns) return `FROM ${ATTACHED_RECORDS}(${id})`
  const chosen = [...schema.filter(({ name }) => columns.includes(name)), ...(reader?.schema ?? [])]
  const inLists = reader !== undefined || chosen.every(({ type }) => isBulk(parseDuckType(type)))
  const items = chosen.map(({ name }) =>
    inLists ? `unnest(${quoted(name)}) AS ${quoted(name)}` : quoted(name),
  )
  return `SELECT ${items.join(', ')} FROM ${inLists ? ATTACHED_LISTS : ATTACHED_RECORDS}(${id})`
}

function isSame(a: Schema, b: Schema): boolean {
  return a.length === b.length && a.every(({ name, type }, i) => name === b[i]?.name && type === b[i]?.type)
}

/** An identifier as SQL text. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string as SQL text, for the places that take no parameter. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** DuckDB's texts quote the record they stumble over; an error of ours must not. */
function withoutData(message: string): string {
  return message
    .replace(/Input: ".*"/gs, 'Input: (not shown)')
    .replace(/string '.*?' /gs, 'a value ')
    .split(/\n\s*LINE \d+:/)[0]!
    .replace(/\s+/g, ' ')
    .trim()
}

const CODE_BY_KIND: Readonly<Record<string, ErrorCode & ('SQL_SYNTAX' | 'SQL_INVALID')>> = {
  Parser: 'SQL_SYNTAX',
  Binder: 'SQL_INVALID',
  Catalog: 'SQL_INVALID',
}

/** Sorts what DuckDB says into our codes. */
export function sqlError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('Cannot prepare multiple statements'))
    return new SluiceError('SQL_MANY_STATEMENTS', {})
  const kind = /^(\w+) Error: /.exec(message)?.[1] ?? ''
  const params: ErrorParams<'SQL_FAILED'> = { reason: withoutData(message.replace(/^\w+ Error: /, '')) }
  return new SluiceError(CODE_BY_KIND[kind] ?? 'SQL_FAILED', params, { cause: error })
}
