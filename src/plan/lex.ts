/** One piece of SQL text. `text` pieces joined give the input back. */
export interface Token {
  readonly kind: 'space' | 'word' | 'quoted' | 'string' | 'symbol'
  readonly text: string
  /** Offset in the input, UTF-16 units. */
  readonly at: number
}

const PIECE =
  /(?<space>\s+|--[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|\$(?<tag>\w*)\$[\s\S]*?\$\k<tag>\$)|(?<quoted>"(?:[^"]|"")*")|(?<word>[\p{L}_][\p{L}\p{N}_$]*)|(?<symbol>[\s\S])/uy

/**
 * Cuts SQL text into pieces: enough to see where a statement, a string or a comment ends, no grammar.
 * An unclosed quote comes out as a symbol and is left to DuckDB's parser to complain about.
 */
export function lex(sql: string): Token[] {
  const tokens: Token[] = []
  PIECE.lastIndex = 0
  for (let match = PIECE.exec(sql); match; match = PIECE.exec(sql)) {
    const groups = match.groups ?? {}
    const kind = (['space', 'string', 'quoted', 'word', 'symbol'] as const).find(
      (name) => groups[name] !== undefined,
    )
    tokens.push({ kind: kind ?? 'symbol', text: match[0], at: match.index })
  }
  return tokens
}

/**
 * The statements of a file and where each begins: split at semicolons outside of strings and comments, empty ones
 * left out.
 */
export function splitStatements(sql: string): { readonly text: string; readonly at: number }[] {
  const statements: { text: string; at: number }[] = []
  let from = 0
  const finish = (to: number) => {
    const first = lex(sql.slice(from, to)).find((token) => token.kind !== 'space')
    if (first) statements.push({ text: sql.slice(from + first.at, to).trimEnd(), at: from + first.at })
    from = to + 1
  }
  for (const token of lex(sql)) if (token.kind === 'symbol' && token.text === ';') finish(token.at)
  finish(sql.length)
  return statements
}

/** What cannot follow WINDOW where it begins a clause: there the name of a window does. */
const isNoClause = (follower: string | undefined): boolean =>
  follower === undefined || /^(?:[(.,);]|from|as|order|having|limit|union)$/i.test(follower)

/**
 * Quotes the words that streaming SQL uses as names although DuckDB reserves them: `window(…)` and the column
 * `window` that it makes, as in Spark, and `at`, the most common name of an event's time, unless it is part of `AT TIME ZONE` or `AT (…)`.
 */
export function quoteReserved(sql: string): string {
  const tokens = lex(sql)
  const next = (index: number) => tokens.slice(index + 1).find((token) => token.kind !== 'space')
  return tokens
    .map((token, index) => {
      if (token.kind !== 'word') return token.text
      const follower = next(index)
      if (/^window$/i.test(token.text) && isNoClause(follower?.text)) return `"${token.text}"`
      if (/^at$/i.test(token.text) && follower?.text !== '(' && !/^time$/i.test(follower?.text ?? '')) {
        return `"${token.text}"`
      }
      return token.text
    })
    .join('')
}
