import type { RecordBatch } from 'apache-arrow'
import { recordBatch, type Schema } from '../../batch.ts'
import type { Clock } from '../../clock.ts'
import { firstDifference, type Origin, type RowGenerator } from '../generated-source.ts'
import { AUCTION_SCHEMA, AuctionColumns } from './auction-columns.ts'
import { BID_SCHEMA, BidColumns } from './bid-columns.ts'
import { EVENT_SCHEMA, EventColumns } from './event-columns.ts'
import { EventMaker } from './event-maker.ts'
import { type EventTable, type GeneratorSettings, originOf } from './options.ts'
import { PERSON_SCHEMA, PersonColumns } from './person-columns.ts'
import type { TableColumns } from './table-columns.ts'

interface Table {
  readonly schema: Schema
  readonly columns: new (maker: EventMaker, expectedRows: number) => TableColumns
}

const TABLES: Readonly<Record<EventTable, Table>> = Object.freeze({
  all: { schema: EVENT_SCHEMA, columns: EventColumns },
  person: { schema: PERSON_SCHEMA, columns: PersonColumns },
  auction: { schema: AUCTION_SCHEMA, columns: AuctionColumns },
  bid: { schema: BID_SCHEMA, columns: BidColumns },
})

/**
 * The events of an online auction: people who come, auctions that they open, bids on them.
 *
 * A seeded port of the Nexmark suite's generator, with its proportions, sizes and skew. It differs in what would make
 * results unequal or odd: every event depends on the seed and its own number alone, where the suite draws from an
 * unseeded generator; times are in microseconds and unique, where the suite cuts them to milliseconds; bidders are
 * people, where the suite adds the first id to them twice.
 */
export class NexmarkRows implements RowGenerator {
  readonly description: string
  readonly schema: Schema
  readonly #settings: GeneratorSettings
  readonly #clock: Clock
  readonly #maker: EventMaker
  readonly #origin: Origin
  readonly #openedAtMs: number
  /** Where this start of the query found the stream. */
  #firstPlace: number | undefined

  constructor(settings: GeneratorSettings, clock: Clock) {
    this.description = describeNexmark(settings)
    this.schema = schemaOf(settings)
    this.#settings = settings
    this.#clock = clock
    this.#maker = new EventMaker(settings)
    this.#origin = originOf(settings)
    this.#openedAtMs = clock.monotonic()
  }

  origin(): Origin {
    return this.#origin
  }

  refusal(origin: Origin): string | undefined {
    return firstDifference(origin, this.#origin)
  }

  available(_origin: Origin, next: number): number {
    const { events = Number.POSITIVE_INFINITY, eventsPerSecond } = this.#settings
    if (eventsPerSecond === 0) return events
    this.#firstPlace ??= next
    const seconds = (this.#clock.monotonic() - this.#openedAtMs) / 1000
    return Math.min(events, this.#firstPlace + Math.floor(seconds * eventsPerSecond))
  }

  /** Goes beyond `batchEvents` only to find one event of a kind that is rarer than that. */
  batchEnd(next: number, available: number): number {
    const usual = Math.min(available, next + this.#settings.batchEvents)
    for (let place = next; place < available; place++) {
      if (this.#isWanted(this.#maker.timeline.eventAt(place))) return Math.max(usual, place + 1)
    }
    return next
  }

  records(_origin: Origin, start: number, end: number): RecordBatch {
    const { timeline } = this.#maker
    const { schema, columns } = TABLES[this.#settings.table]
    const table = new columns(this.#maker, this.#expectedRows(end - start))
    for (let place = start; place < end; place++) {
      const event = timeline.eventAt(place)
      if (this.#isWanted(event)) table.push(event)
    }
    return recordBatch(schema, table.finish())
  }

  #isWanted(event: number): boolean {
    const { table } = this.#settings
    return table === 'all' || this.#maker.timeline.kindOf(event) === table
  }

  #expectedRows(events: number): number {
    const { table, personProportion, auctionProportion, bidProportion } = this.#settings
    if (table === 'all') return events
    const share = { person: personProportion, auction: auctionProportion, bid: bidProportion }[table]
    return Math.ceil(events / this.#maker.timeline.cycle + 1) * share
  }
}

export function describeNexmark({ table }: GeneratorSettings): string {
  return table === 'all' ? 'nexmark' : `nexmark[${table}]`
}

export function schemaOf({ table }: GeneratorSettings): Schema {
  return TABLES[table].schema
}
