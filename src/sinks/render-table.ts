import { getBorderCharacters, table } from 'table'
import type { Schema } from '../batch.ts'
import { type Connection, quoted } from '../duckdb.ts'

export interface RenderOptions {
  /** Rows shown at most. */
  readonly rows: number
  /** Characters of a value shown at most; 0 for all. */
  readonly truncate: number
}

const NUMBER = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|DECIMAL)/

/**
 * The first rows of a relation as a table for people. Bytes that are UTF-8 show as text; control characters show
 * as escapes, so that data cannot drive the terminal.
 */
export async function renderTable(
  connection: Connection,
  select: string,
  { rows: most, truncate }: RenderOptions,
): Promise<string> {
  const schema = await connection.describe(select)
  const items = schema.map(({ name, type }, i) => `${textSql(quoted(name), type)} AS c${i}`)
  // One row more than is shown, to know whether there are more.
  const found = await connection.rows(`SELECT ${items.join(', ')} FROM (${select}) LIMIT ${most + 1}`)
  const shown = found.slice(0, most).map((row) => schema.map((_, i) => cell(row[`c${i}`], truncate)))
  const lines = [draw(schema, shown, truncate)]
  if (shown.length === 0) lines.push('(no rows)\n')
  else if (found.length > most) lines.push(`only showing top ${most} rows\n`)
  return lines.join('')
}

function draw(schema: Schema, rows: readonly (readonly string[])[], truncate: number): string {
  const header = schema.map(({ name }) => cell(name, truncate))
  return table([header, ...rows], {
    border: getBorderCharacters('ramac'),
    columns: schema.map(({ type }) => ({ alignment: NUMBER.test(type) ? 'right' : 'left' })),
    drawHorizontalLine: (index, size) => index <= 1 || index === size,
  })
}

function textSql(column: string, type: string): string {
  if (type === 'BLOB') return `coalesce(TRY(decode(${column})), ${column}::VARCHAR)`
  return `${column}::VARCHAR`
}

function cell(value: unknown, truncate: number): string {
  const text = value === null || value === undefined ? 'NULL' : escaped(String(value))
  const characters = [...text]
  if (truncate === 0 || characters.length <= truncate) return text
  return truncate < 4
    ? characters.slice(0, truncate).join('')
    : `${characters.slice(0, truncate - 3).join('')}...`
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** C0 and C1 controls, DEL, and the marks that turn the direction of text. */
const CONTROL = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

function escaped(text: string): string {
  return text.replace(
    CONTROL,
    (character) => NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
