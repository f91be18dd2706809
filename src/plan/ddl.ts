import { SluiceError } from '../errors.ts'
import { refused } from './check.ts'
import { lex, splitStatements, type Token } from './lex.ts'

/** One statement of a script. DuckDB's parser takes SELECT only, so what streaming adds is read here. */
export type ScriptStatement =
  | {
      readonly kind: 'stream'
      readonly name: string
      /** Payload fields and their types; absent when the statement gives none. */
      readonly fields: Readonly<Record<string, string>> | undefined
      readonly watermark: { readonly column: string; readonly delay: string } | undefined
      readonly format: string
      readonly options: ReadonlyMap<string, string>
    }
  | {
      readonly kind: 'sink'
      readonly name: string
      readonly format: string
      readonly options: ReadonlyMap<string, string>
      readonly select: string
    }
  | {
      readonly kind: 'view'
      readonly name: string
      readonly watermark: { readonly column: string; readonly delay: string } | undefined
      /** Columns of which only the first row within the watermark stays. */
      readonly distinct: readonly string[] | undefined
      readonly select: string
    }
  /** Anything else is DuckDB's own business: CREATE TABLE, INSERT, SET … */
  | { readonly kind: 'other'; readonly text: string }

/**
 * Reads a script. Grammar of the statements that are ours:
 *
 * ```
 * CREATE [OR REPLACE] STREAM name [(field type, …)] [WATERMARK FOR column DELAY 'duration']
 *   USING format [OPTIONS (name 'value', …)]
 * CREATE SINK name USING format [OPTIONS (name 'value', …)] AS select
 * CREATE [OR REPLACE] [TEMP | TEMPORARY] VIEW name [WATERMARK FOR column DELAY 'duration']
 *   [DISTINCT ON (column, …) WITHIN WATERMARK] AS select
 * ```
 *
 * The text of a select keeps its place in the script, so that errors name the script's lines and columns.
 *
 * @throws SQL_SYNTAX with line and column
 */
export function parseScript(script: string): ScriptStatement[] {
  return splitStatements(script).map(({ text, at }) => new StatementReader(script, at, text).read())
}

class StatementReader {
  readonly #script: string
  readonly #start: number
  readonly #text: string
  readonly #tokens: readonly Token[]
  #index = 0

  constructor(script: string, start: number, text: string) {
    this.#script = script
    this.#start = start
    this.#text = text
    this.#tokens = lex(text).filter((token) => token.kind !== 'space')
  }

  read(): ScriptStatement {
    if (!this.#accept('CREATE')) return this.#other()
    if (this.#accept('OR')) this.#expect('REPLACE')
    if (this.#accept('STREAM')) return this.#stream()
    if (this.#accept('SINK')) return this.#sink()
    if (!this.#accept('TEMP')) this.#accept('TEMPORARY')
    if (this.#accept('FUNCTION') && this.#isCode()) throw refused('callback-in-sql')
    return this.#accept('VIEW') ? this.#view() : this.#other()
  }

  #other(): ScriptStatement {
    return { kind: 'other', text: this.#inPlace(0) }
  }

  /** A function of Spark's, by a class or in another language; DuckDB's own is an expression: `f(x) AS x + 1`. */
  #isCode(): boolean {
    const rest = this.#tokens.slice(this.#index)
    return rest[1]?.text !== '(' || rest.some(({ text }) => /^(?:LANGUAGE|RETURNS)$/i.test(text))
  }

  #stream(): ScriptStatement {
    const name = this.#name('the name of the stream')
    const fields = this.#peek()?.text === '(' ? this.#fields() : undefined
    const watermark = this.#accept('WATERMARK') ? this.#watermark() : undefined
    this.#expect('USING')
    const format = this.#name('a source format')
    const options = this.#options()
    if (this.#peek()) this.#refuse('OPTIONS (…) or the end of the statement')
    return { kind: 'stream', name, fields, watermark, format, options }
  }

  #watermark(): { column: string; delay: string } {
    this.#expect('FOR')
    const column = this.#name('the event-time column')
    this.#expect('DELAY')
    return { column, delay: this.#value() }
  }

  #sink(): ScriptStatement {
    const name = this.#name('the name of the sink')
    this.#expect('USING')
    const format = this.#name('a sink format')
    const options = this.#options()
    return { kind: 'sink', name, format, options, select: this.#select() }
  }

  #view(): ScriptStatement {
    const name = this.#name('the name of the view')
    const watermark = this.#accept('WATERMARK') ? this.#watermark() : undefined
    const distinct = this.#accept('DISTINCT') ? this.#distinct() : undefined
    return { kind: 'view', name, watermark, distinct, select: this.#select() }
  }

  #distinct(): string[] {
    const columns: string[] = []
    this.#expect('ON')
    this.#take('(')
    do columns.push(this.#name('a column'))
    while (this.#acceptSymbol(','))
    this.#take(')')
    this.#expect('WITHIN')
    this.#expect('WATERMARK')
    return columns
  }

  #select(): string {
    this.#expect('AS')
    const first = this.#peek()
    if (!first) return this.#refuse('a SELECT')
    return this.#inPlace(first.at)
  }

  /** The rest of the statement from `at`, with everything before it in the script blanked out. */
  #inPlace(at: number): string {
    const before = this.#script.slice(0, this.#start + at).replace(/[^\n]/g, ' ')
    return before + this.#text.slice(at)
  }

  #fields(): Record<string, string> {
    const fields: Record<string, string> = {}
    this.#take('(')
    do {
      const name = this.#name('the name of a field')
      fields[name] = this.#type()
    } while (this.#acceptSymbol(','))
    this.#take(')')
    return fields
  }

  /** Everything up to the next comma or parenthesis that is not inside the type. */
  #type(): string {
    const first = this.#peek()
    let depth = 0
    let end = first?.at ?? 0
    for (let token = this.#peek(); token; token = this.#peek()) {
      if (depth === 0 && (token.text === ',' || token.text === ')')) break
      depth += '(<'.includes(token.text) ? 1 : ')>'.includes(token.text) ? -1 : 0
      end = token.at + token.text.length
      this.#index++
    }
    const text = this.#text.slice(first?.at ?? 0, end)
    return text === '' ? this.#refuse('a type') : text
  }

  #options(): Map<string, string> {
    const options = new Map<string, string>()
    if (!this.#accept('OPTIONS')) return options
    this.#take('(')
    if (this.#acceptSymbol(')')) return options
    do {
      let name = this.#name('the name of an option')
      while (this.#acceptSymbol('.')) name += `.${this.#name('the rest of the option name')}`
      this.#acceptSymbol('=')
      options.set(name, this.#value())
    } while (this.#acceptSymbol(','))
    this.#take(')')
    return options
  }

  #value(): string {
    const token = this.#next('a value')
    if (token.kind === 'string') return token.text.slice(1, -1).replaceAll("''", "'")
    if (token.kind === 'word') return token.text
    let text = token.text
    for (let next = this.#peek(); next && /^[\w.]+$/.test(next.text); next = this.#peek()) {
      text += next.text
      this.#index++
    }
    return /^[+-]?[\d.]+\w*$/.test(text) ? text : this.#refuse("a value such as 'text', 10 or true", -1)
  }

  #name(what: string): string {
    const token = this.#next(what)
    if (token.kind === 'quoted') return token.text.slice(1, -1).replaceAll('""', '"')
    return token.kind === 'word' ? token.text : this.#refuse(what, -1)
  }

  #accept(word: string): boolean {
    const token = this.#peek()
    const is = token?.kind === 'word' && token.text.toUpperCase() === word
    if (is) this.#index++
    return is
  }

  #acceptSymbol(symbol: string): boolean {
    const is = this.#peek()?.text === symbol
    if (is) this.#index++
    return is
  }

  #expect(word: string): void {
    if (!this.#accept(word)) this.#refuse(word)
  }

  #take(symbol: string): void {
    if (!this.#acceptSymbol(symbol)) this.#refuse(`'${symbol}'`)
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#index]
  }

  #next(what: string): Token {
    const token = this.#peek()
    if (!token) return this.#refuse(what)
    this.#index++
    return token
  }

  #refuse(expected: string, back = 0): never {
    const token = this.#tokens[this.#index + back]
    const at = this.#start + (token?.at ?? this.#text.length)
    const before = this.#script.slice(0, at).split('\n')
    const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
    const found = token ? `at or near "${token.text}"` : 'at the end of the statement'
    throw new SluiceError('SQL_SYNTAX', { reason: `expected ${expected} ${found} (${place})` })
  }
}
