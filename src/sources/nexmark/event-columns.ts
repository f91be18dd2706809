import { type Data, Int32, makeData, TimestampMicrosecond } from 'apache-arrow'
import { arrowType } from '../../arrow.ts'
import { Int64Column, type Schema } from '../../batch.ts'
import { AUCTION_SCHEMA, AuctionColumns } from './auction-columns.ts'
import { BID_SCHEMA, BidColumns } from './bid-columns.ts'
import type { EventMaker } from './event-maker.ts'
import { PERSON_SCHEMA, PersonColumns } from './person-columns.ts'
import type { KindColumns, TableColumns } from './table-columns.ts'
import type { EventKind } from './timeline.ts'

/** As in the SQL ports of the suite: 0 a person, 1 an auction, 2 a bid. */
const EVENT_TYPES: readonly EventKind[] = ['person', 'auction', 'bid']

const STRUCTS: readonly string[] = [PERSON_SCHEMA, AUCTION_SCHEMA, BID_SCHEMA].map(
  (schema) => `STRUCT(${schema.map(({ name, type }) => `"${name}" ${type}`).join(', ')})`,
)

export const EVENT_SCHEMA: Schema = Object.freeze([
  { name: 'event_type', type: 'INTEGER' },
  ...EVENT_TYPES.map((name, kind) => ({ name, type: STRUCTS[kind] as string })),
  { name: 'dateTime', type: 'TIMESTAMP' },
])

/** Every event as one row: its kind, its time, and a struct that the other kinds leave NULL. */
export class EventColumns implements TableColumns {
  readonly #maker: EventMaker
  readonly #kinds: Int32Array
  readonly #structs: readonly KindColumns[]
  readonly #dateTime: Int64Column
  #rows = 0

  constructor(maker: EventMaker, rows: number) {
    this.#maker = maker
    this.#kinds = new Int32Array(rows)
    this.#structs = [
      new PersonColumns(maker, rows),
      new AuctionColumns(maker, rows),
      new BidColumns(maker, rows),
    ]
    this.#dateTime = new Int64Column(rows)
  }

  push(event: number): void {
    const kind = EVENT_TYPES.indexOf(this.#maker.timeline.kindOf(event))
    for (const [index, struct] of this.#structs.entries()) {
      if (index === kind) struct.push(event)
      else struct.pushBlank()
    }
    this.#kinds[this.#rows++] = kind
    this.#dateTime.push(BigInt(this.#maker.timeline.microsOf(event)))
  }

  finish(): readonly Data[] {
    const kinds = this.#kinds.subarray(0, this.#rows)
    return [
      makeData({ type: new Int32(), length: this.#rows, nullCount: 0, data: kinds }),
      ...this.#structs.map((struct, kind) => structData(kinds, kind, struct.finish())),
      this.#dateTime.finish(new TimestampMicrosecond()),
    ]
  }
}

/** Valid where the event is of the struct's kind. */
function structData(kinds: Int32Array, kind: number, children: readonly Data[]): Data {
  const nullBitmap = new Uint8Array(Math.ceil(kinds.length / 8))
  let valid = 0
  for (const [row, each] of kinds.entries()) {
    if (each !== kind) continue
    nullBitmap[row >> 3]! |= 1 << (row & 7)
    valid++
  }
  const type = arrowType(STRUCTS[kind] as string)
  const shape = { type, length: kinds.length, nullCount: kinds.length - valid, nullBitmap, children }
  return makeData(shape as never)
}
