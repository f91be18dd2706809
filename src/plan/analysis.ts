import type { Schema } from '../batch.ts'
import { type Connection, Database, quoted, type Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { UserFunction } from '../user-functions.ts'
import { type BaseTable, baseTable, type Expression, isColumnRef, isFunction, type Query } from './ast.ts'
import type { StreamInput } from './plan.ts'
import { SqlText } from './sql.ts'
import { walk } from './walk.ts'

/**
 * What planning asks DuckDB: its parser, its printer, its binder, and which functions aggregate. Streams are
 * bound as empty temporary tables, so no data is needed to know a query's columns.
 */
export class Analysis {
  readonly sql: SqlText
  readonly #connection: Connection
  readonly #tables = new Map<StreamInput, string>()

  constructor(connection: Connection) {
    this.#connection = connection
    this.sql = new SqlText(connection)
  }

  /** The empty table that stands for a stream. */
  async tableOf(input: StreamInput): Promise<BaseTable> {
    let name = this.#tables.get(input)
    if (name === undefined) {
      name = `stream ${this.#tables.size} ${input.description}`
      this.#tables.set(input, name)
      const columns = input.schema.map((field) => `${quoted(field.name)} ${field.type}`).join(', ')
      await this.#connection.run(`CREATE TEMP TABLE ${quoted(name)} (${columns})`)
    }
    return baseTable(name)
  }

  /** @throws SQL_INVALID when a name or a type does not fit */
  async describe(query: Query): Promise<Schema> {
    return this.#connection.describe(await this.sql.print(query))
  }

  /** A fixed length of time, in microseconds; undefined for months, whose length is not, and for what no constant says. */
  async microseconds(interval: Expression): Promise<bigint | undefined> {
    let isConstant = true
    walk(interval, (node) => {
      isConstant &&= !isColumnRef(node)
      return undefined
    })
    if (!isConstant) return undefined
    const [text] = await this.sql.printExpressions([interval])
    const months = `datepart('year', i) * 12 + datepart('month', i)`
    const select = `SELECT CASE WHEN ${months} = 0 THEN epoch_us(i) END FROM (SELECT CAST(${text} AS INTERVAL) AS i)`
    return ((await this.#connection.value(select)) as bigint | null) ?? undefined
  }

  /** Lower-case names of the aggregate functions, all of them if any function is called below `root`. */
  async aggregatesFor(root: unknown): Promise<ReadonlySet<string>> {
    let isAsked = false
    walk(root, (node) => {
      isAsked ||= isFunction(node) && !node.is_operator
      return !isAsked
    })
    return isAsked ? (await this.#builtins()).aggregates : new Set()
  }

  /**
   * The functions in TypeScript that are called anywhere below `root`, by name.
   *
   * @throws UDF_INVALID for one that hides a function of DuckDB's: SQL of the engine itself may call that
   */
  async userFunctionsIn(root: unknown): Promise<readonly UserFunction[]> {
    const { functions } = this.#connection
    if (functions.names.length === 0) return []
    const found = new Map<string, UserFunction>()
    walk(root, (node) => {
      const name = isFunction(node) ? node.function_name.toLowerCase() : ''
      const each = functions.get(name)
      if (each) found.set(name, each)
      return undefined
    })
    const { names } = await this.#builtins()
    for (const [name, each] of found) {
      if (names.has(name)) throw new SluiceError('UDF_INVALID', { name: each.name, reason: HIDES })
    }
    return [...found.keys()].sort().map((name) => found.get(name) as UserFunction)
  }

  async #builtins(): Promise<Builtins> {
    builtins ??= loadBuiltins()
    try {
      return await builtins
    } catch (error) {
      builtins = undefined
      throw error
    }
  }
}

const HIDES = 'DuckDB has a function of that name, which it would hide'

interface Builtins {
  readonly names: ReadonlySet<string>
  readonly aggregates: ReadonlySet<string>
}

/** Of the DuckDB that is linked in, so the same for all sessions; asking takes it a tenth of a second or more. */
let builtins: Promise<Builtins> | undefined

/** From a database of its own: what a session registers stands in its catalog like DuckDB's own functions. */
async function loadBuiltins(): Promise<Builtins> {
  const database = await Database.open()
  try {
    const connection = await database.connect()
    const rows = await connection.rows(
      'SELECT DISTINCT lower(function_name) AS name, function_type AS type FROM duckdb_functions()',
    )
    connection.close()
    const namesOf = (each: readonly Row[]) => new Set(each.map(({ name }) => String(name)))
    const aggregates = namesOf(rows.filter(({ type }) => type === 'aggregate'))
    return { names: namesOf(rows), aggregates }
  } finally {
    database.close()
  }
}
