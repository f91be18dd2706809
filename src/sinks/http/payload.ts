import { quoted, type Relation } from '../../duckdb.ts'
import type { SluiceError } from '../../errors.ts'

/** Some rows of a batch, one after the other, as JSON. */
export interface Part {
  /** Place of the first row in the batch, counted from 0. */
  readonly first: number
  readonly rows: readonly string[]
}

/** Which batch of which query parts come from. */
export interface Origin {
  readonly queryId: string
  readonly batchId: number
}

/** Room for what stands around the rows in a body. */
const FRAME_BYTES = 512

/** `0-999`: a part is named by its rows, so that one name never stands for other rows when the sizes change. */
export function nameOf({ first, rows }: Part): string {
  return `${first}-${first + rows.length - 1}`
}

/** The body of the request for a part. */
export function bodyOf(part: Part, { queryId, batchId }: Origin): string {
  const head = JSON.stringify({ queryId, batchId, part: nameOf(part) })
  return `${head.slice(0, -1)},"rows":[${part.rows.join(',')}]}`
}

export function halvesOf({ first, rows }: Part): readonly [Part, Part] {
  const middle = rows.length >> 1
  return [
    { first, rows: rows.slice(0, middle) },
    { first: first + middle, rows: rows.slice(middle) },
  ]
}

/**
 * Cuts the rows of a batch into parts, as large as their limits allow.
 *
 * The rows are sorted by their columns from left to right: a batch that comes again may have them in another order,
 * and has to make the same parts.
 *
 * @throws SINK_ROW for a row that is larger than a payload may be
 */
export async function* partsOf(
  { connection, name, schema }: Relation,
  limits: { readonly rows: number; readonly bytes: number },
  tooLarge: (row: number, bytes: number) => SluiceError,
): AsyncGenerator<Part> {
  const order = schema.map((field) => `r.${quoted(field.name)}`).join(', ')
  const most = limits.bytes - FRAME_BYTES
  let part = { first: 0, rows: [] as string[] }
  let bytes = 0
  for await (const rows of connection.pieces(
    `SELECT to_json(r)::VARCHAR AS json FROM ${name} r ORDER BY ${order}`,
  )) {
    for (const { json } of rows) {
      const row = String(json)
      const size = Buffer.byteLength(row) + 1
      const place = part.first + part.rows.length
      if (size > most) throw tooLarge(place, size)
      if (part.rows.length === limits.rows || (part.rows.length > 0 && bytes + size > most)) {
        yield part
        part = { first: place, rows: [] }
        bytes = 0
      }
      part.rows.push(row)
      bytes += size
    }
  }
  if (part.rows.length > 0) yield part
}
