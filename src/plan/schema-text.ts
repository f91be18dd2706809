import { SluiceError } from '../errors.ts'
import { lex, type Token } from './lex.ts'

/**
 * Reads a schema as Spark writes it, `userId BIGINT, at TIMESTAMP NOT NULL, tags ARRAY<STRING>`, into names and types.
 *
 * @throws TYPE_UNKNOWN when the text is none
 */
export function parseSchemaText(text: string): Readonly<Record<string, string>> {
  const refuse = (): never => {
    throw new SluiceError('TYPE_UNKNOWN', { type: text })
  }
  const sql = text.replaceAll(/`((?:[^`]|``)*)`/g, asQuoted)
  const fields = splitFields(sql).map((tokens) => {
    const [name, ...rest] = tokens
    if (name?.kind !== 'word' && name?.kind !== 'quoted') return refuse()
    const type = typeOf(sql, rest[0]?.text === ':' ? rest.slice(1) : rest)
    return [name.kind === 'quoted' ? name.text.slice(1, -1).replaceAll('""', '"') : name.text, type] as const
  })
  const schema = Object.fromEntries(fields)
  return Object.keys(schema).length === fields.length ? Object.freeze(schema) : refuse()
}

function asQuoted(_: string, name: string): string {
  return `"${name.replaceAll('``', '`').replaceAll('"', '""')}"`
}

function splitFields(text: string): Token[][] {
  const fields: Token[][] = []
  let depth = 0
  let field: Token[] = []
  for (const token of lex(text)) {
    if (token.kind === 'space') continue
    if ('([<'.includes(token.text)) depth++
    if (')]>'.includes(token.text)) depth--
    if (token.text === ',' && depth === 0) {
      fields.push(field)
      field = []
    } else field.push(token)
  }
  return [...fields, field]
}

/** Without what Spark lets follow a type, which says nothing about how to read a payload. */
function typeOf(sql: string, tokens: readonly Token[]): string {
  const rest = tokens.findIndex((token) => /^(not|comment)$/i.test(token.text))
  const type = rest < 0 ? tokens : tokens.slice(0, rest)
  const last = type.at(-1)
  return last ? sql.slice(type[0]!.at, last.at + last.text.length) : ''
}
