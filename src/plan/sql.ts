import { type Connection, sqlError } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { Expression, Query, Statement } from './ast.ts'
import { cast, emptyTable, selectQuery, statement } from './ast.ts'
import { quoteReserved } from './lex.ts'
import { rewrite } from './walk.ts'

/**
 * SQL text to tree and back, by DuckDB itself.
 *
 * Invariant: `print(await parse(text))` means what `text` means, and parsing it again gives the same tree, but for
 * DOUBLE constants, which then stand in a cast.
 */
export class SqlText {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** @throws SQL_SYNTAX with line and column, SQL_NOT_SELECT, SQL_MANY_STATEMENTS */
  async parse(text: string): Promise<Query> {
    const json = await this.#value('SELECT json_serialize_sql($1::VARCHAR)', quoteReserved(text))
    const parsed = JSON.parse(keepNumbers(json), withoutLocations) as ParseAnswer
    if (parsed.error) throw parseError(text, parsed)
    const [first, ...others] = parsed.statements
    if (others.length > 0) throw new SluiceError('SQL_MANY_STATEMENTS', {})
    if (!first) throw new SluiceError('SQL_NOT_SELECT', { text: text.slice(0, 80) })
    return first.node
  }

  async print(query: Query): Promise<string> {
    return this.#printExactly(rewrite(query, typedDouble))
  }

  /** Expressions as text; what DuckDB would call the columns they make. Names given with AS are left out. */
  async printExpressions(expressions: readonly Expression[]): Promise<string[]> {
    const printed = expressions.map(async (expression) => {
      const query = selectQuery({ select_list: [{ ...expression, alias: '' }], from_table: emptyTable })
      return (await this.#printExactly(query)).replace(/^SELECT /, '')
    })
    return Promise.all(printed)
  }

  #printExactly(query: Query): Promise<string> {
    const json = JSON.stringify({ error: false, statements: [statement(query)] })
    return this.#value('SELECT json_deserialize_sql(json($1::VARCHAR))', freeNumbers(json))
  }

  async #value(sql: string, parameter: string): Promise<string> {
    try {
      return String(await this.#connection.value(sql, [parameter]))
    } catch (error) {
      throw sqlError(error)
    }
  }
}

type ParseAnswer =
  | { readonly error: false; readonly statements: readonly Statement[] }
  | {
      readonly error: true
      readonly error_message: string
      readonly error_type: string
      readonly position?: string
    }

function parseError(text: string, answer: Extract<ParseAnswer, { error: true }>): SluiceError {
  if (answer.error_type === 'not implemented')
    return new SluiceError('SQL_NOT_SELECT', { text: text.slice(0, 80) })
  if (answer.position === undefined) return new SluiceError('SQL_SYNTAX', { reason: answer.error_message })
  // The position counts in the text as it was parsed, where reserved words may have been quoted.
  const before = quoteReserved(text).slice(0, Number(answer.position)).split('\n')
  const line = before.length
  const column = (before.at(-1)?.length ?? 0) + 1
  return new SluiceError('SQL_SYNTAX', { reason: `${answer.error_message} (line ${line}, column ${column})` })
}

/** DuckDB prints the DOUBLE constant 1e5 as 100000.0, which it would read back as a DECIMAL. */
function typedDouble(node: Expression): Expression | undefined {
  const constant = node.class === 'CONSTANT' ? (node['value'] as { type: { id: string } }) : undefined
  return constant?.type.id === 'DOUBLE' ? cast({ ...node, alias: '' }, 'DOUBLE', node.alias) : undefined
}

function withoutLocations(key: string, value: unknown): unknown {
  return key === 'query_location' ? undefined : value
}

// JSON.parse would round integers beyond 2^53 and turn the double 10.0 into an integer, which DuckDB then refuses
// to read back. Such numbers travel through the tree as marked strings.
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const MARK = '\u0001number:'
const MARKED = /"\\u0001number:([^"]+)"/g

function keepNumbers(json: string): string {
  return json.replace(STRING_OR_NUMBER, (piece) => {
    const survives = piece.startsWith('"') || /^-?\d{1,15}$/.test(piece)
    return survives ? piece : JSON.stringify(MARK + piece)
  })
}

function freeNumbers(json: string): string {
  return json.replace(MARKED, '$1')
}
