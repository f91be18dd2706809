import type { Schema } from '../batch.ts'
import type { Connection } from '../duckdb.ts'

export interface RenderOptions {
  /** Rows shown at most. */
  readonly rows: number
  /** Characters of a value shown at most; 0 for all. */
  readonly truncate: number
}

const NUMBER = /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/

/**
 * The first rows of a relation as a table for people. Bytes that are printable UTF-8 show as text, others as hex;
 * control characters show as escapes, so that data cannot drive the terminal.
 */
export async function renderTable(
  connection: Connection,
  select: string,
  { rows: most, truncate }: RenderOptions,
): Promise<string> {
  const schema = await connection.describe(select)
  const items = schema.map(({ type }, i) => {
    const text = textSql(`c${i}`, type)
    // One character more than is shown, to know whether there are more: a long value stays in DuckDB.
    return `${truncate === 0 ? text : `left(${text}, ${truncate + 1})`} AS c${i}`
  })
  // By position, as two columns may have one name.
  const columns = schema.map((_, i) => `c${i}`)
  const from = `(${select}) AS shown(${columns.join(', ')})`
  const found = await connection.rows(`SELECT ${items.join(', ')} FROM ${from} LIMIT ${most + 1}`)
  const shown = found.slice(0, most).map((row) => columns.map((column) => cell(row[column], truncate)))
  const lines = [await draw(schema, shown, truncate)]
  if (shown.length === 0) lines.push('(no rows)\n')
  else if (found.length > most) lines.push(`only showing top ${most} ${most === 1 ? 'row' : 'rows'}\n`)
  return lines.join('')
}

async function draw(schema: Schema, rows: readonly (readonly string[])[], truncate: number): Promise<string> {
  // When it is needed: most queries print nothing, and would wait for it at every start.
  const { getBorderCharacters, table } = await import('table')
  const header = schema.map(({ name }) => cell(name, truncate))
  return table([header, ...rows], {
    border: getBorderCharacters('ramac'),
    columns: schema.map(({ type }) => ({ alignment: NUMBER.test(type) ? 'right' : 'left' })),
    drawHorizontalLine: (index, size) => index <= 1 || index === size,
  })
}

function textSql(column: string, type: string): string {
  if (type !== 'BLOB') return `${column}::VARCHAR`
  const text = `TRY(decode(${column}))`
  const hex = `'[' || rtrim(regexp_replace(hex(${column}), '..', '\\0 ', 'g')) || ']'`
  // Control characters other than line breaks and tabs, or no UTF-8 at all: then it is no text.
  return `CASE WHEN NOT regexp_matches(${text}, '[^\\P{Cc}\\n\\r\\t]') THEN ${text} ELSE ${hex} END`
}

function cell(value: unknown, truncate: number): string {
  const text = value === null || value === undefined ? 'NULL' : escaped(String(value))
  if (truncate === 0) return text
  const characters = [...text]
  if (characters.length <= truncate) return text
  return truncate < 4
    ? characters.slice(0, truncate).join('')
    : `${characters.slice(0, truncate - 3).join('')}...`
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Controls (C0, C1, DEL), separators that break a line, marks that turn the direction of text, and the invisible. */
const UNSAFE =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/gu

/** Text that shows what is in it and does nothing to a terminal. */
export function escaped(text: string): string {
  return text.replace(
    UNSAFE,
    (character) => NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
