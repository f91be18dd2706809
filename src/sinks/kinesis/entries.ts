import type { Field, Schema } from '../../batch.ts'
import { quoted, type Row } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import type { Provenance } from './options.ts'
import { mark } from './provenance.ts'

/** One record as PutRecords takes it. */
export interface Entry {
  readonly Data: Uint8Array
  readonly PartitionKey: string
  readonly ExplicitHashKey?: string
}

/** Which batch of which query rows come from. */
export interface Origin {
  readonly queryId: string
  readonly batchId: number
}

/** The service's own limits. */
const KEY_LENGTH_MAX = 256
const HASH_KEYS = 2n ** 128n

const INTEGER = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/

/** How the rows of a query become records. */
export class EntryReader {
  readonly #sink: string
  readonly #items: string
  readonly #provenance: Provenance
  readonly #recordBytes: number

  /**
   * @param recordBytes what a record may have at most
   * @throws SINK_COLUMN naming the column that is missing or of another type
   */
  constructor(sink: string, schema: Schema, provenance: Provenance, recordBytes: number) {
    const column = (name: string) => schema.find((field) => field.name.toLowerCase() === name.toLowerCase())
    const need = (name: string, types: string, fits: (type: string) => boolean, isOptional = false) => {
      const field = column(name)
      if (field && fits(field.type)) return field
      if (!field && isOptional) return undefined
      const found = field
        ? `${name} of type ${field.type}`
        : `only ${schema.map((each) => each.name).join(', ')}`
      throw new SluiceError('SINK_COLUMN', { sink, column: name, types, found })
    }
    const data = need('data', 'VARCHAR or BLOB', (type) => type === 'VARCHAR' || type === 'BLOB') as Field
    const key = need('partitionKey', 'VARCHAR', (type) => type === 'VARCHAR') as Field
    const isHash = (type: string) => type === 'VARCHAR' || INTEGER.test(type)
    const hash = need('explicitHashKey', 'VARCHAR or an integer type', isHash, true)
    this.#sink = sink
    this.#provenance = provenance
    this.#recordBytes = recordBytes
    this.#items = itemsOf(data, key, hash, provenance !== 'none')
  }

  /** A SELECT of what `entry` takes, in the order of the relation. */
  select(relation: string): string {
    const isNumbered = this.#provenance !== 'none'
    // Numbering sorts the rows; they are sent in the order in which the query gives them all the same.
    return `SELECT ${this.#items} FROM ${relation}${isNumbered ? ' ORDER BY rowid' : ''}`
  }

  /** @param index of the row in the batch, for messages @throws SINK_ROW */
  entry(row: Row, index: number, origin: Origin): Entry {
    const refuse = (reason: string) =>
      new SluiceError('SINK_ROW', { sink: this.#sink, row: index, batch: origin.batchId, reason })
    const {
      data,
      key,
      hash,
      row: place,
    } = row as { data: unknown; key: unknown; hash?: unknown; row?: unknown }
    if (!(data instanceof Uint8Array)) throw refuse('data is NULL')
    if (typeof key !== 'string' || key === '')
      throw refuse(`partitionKey is ${key === '' ? 'empty' : 'NULL'}`)
    const length = [...key].length
    if (length > KEY_LENGTH_MAX)
      throw refuse(`partitionKey has ${length} characters, at most ${KEY_LENGTH_MAX} are allowed`)
    if (typeof hash === 'string' && !(/^\d{1,39}$/.test(hash) && BigInt(hash) < HASH_KEYS)) {
      throw refuse('explicitHashKey is no whole number from 0 to 2^128 - 1')
    }
    const marked =
      this.#provenance === 'none'
        ? data
        : mark(this.#provenance, data, { ...origin, row: Number(place) }, refuse)
    const entry = { Data: marked, PartitionKey: key }
    const bytes = sizeOf(entry)
    if (bytes > this.#recordBytes) throw refuse(`it has ${bytes} bytes, more than maxRecordBytes`)
    return typeof hash === 'string' ? { ...entry, ExplicitHashKey: hash } : entry
  }
}

function itemsOf(data: Field, key: Field, hash: Field | undefined, isNumbered: boolean): string {
  const bytes = data.type === 'BLOB' ? quoted(data.name) : `encode(${quoted(data.name)})`
  const items = [`${bytes} AS data`, `${quoted(key.name)} AS key`]
  if (hash) items.push(`${quoted(hash.name)}::VARCHAR AS hash`)
  if (isNumbered) {
    // By contents: the rows of a batch that comes again need not be in the same order.
    const order = [key, ...(hash ? [hash] : []), data].map((field) => quoted(field.name)).join(', ')
    items.push(`row_number() OVER (ORDER BY ${order}) - 1 AS row`)
  }
  return items.join(', ')
}

/** Bytes that the limits of the service count. */
export function sizeOf({ Data, PartitionKey }: Entry): number {
  return Data.length + Buffer.byteLength(PartitionKey)
}
