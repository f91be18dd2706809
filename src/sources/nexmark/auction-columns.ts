import { type Data, Int64, TimestampMicrosecond, Utf8 } from 'apache-arrow'
import { BytesColumn, Int64Column, type Schema } from '../../batch.ts'
import type { EventMaker } from './event-maker.ts'
import { BLANK, type KindColumns } from './table-columns.ts'

export const AUCTION_SCHEMA: Schema = Object.freeze([
  { name: 'id', type: 'BIGINT' },
  { name: 'itemName', type: 'VARCHAR' },
  { name: 'description', type: 'VARCHAR' },
  { name: 'initialBid', type: 'BIGINT' },
  { name: 'reserve', type: 'BIGINT' },
  { name: 'dateTime', type: 'TIMESTAMP' },
  { name: 'expires', type: 'TIMESTAMP' },
  { name: 'seller', type: 'BIGINT' },
  { name: 'category', type: 'BIGINT' },
  { name: 'extra', type: 'VARCHAR' },
])

/** Few categories, so that a query for one finds something in a small stream. */
const FIRST_CATEGORY = 10
const CATEGORIES = 5

/** Bytes of id, prices, seller, category and times, as the suite counts them. */
const NUMBERS_BYTES = 48

export class AuctionColumns implements KindColumns {
  readonly #maker: EventMaker
  readonly #id: Int64Column
  readonly #itemName: BytesColumn
  readonly #description: BytesColumn
  readonly #initialBid: Int64Column
  readonly #reserve: Int64Column
  readonly #dateTime: Int64Column
  readonly #expires: Int64Column
  readonly #seller: Int64Column
  readonly #category: Int64Column
  readonly #extra: BytesColumn
  readonly #numbers: readonly Int64Column[]

  constructor(maker: EventMaker, expectedRows: number) {
    this.#maker = maker
    this.#id = new Int64Column(expectedRows)
    this.#itemName = new BytesColumn(expectedRows)
    this.#description = new BytesColumn(expectedRows)
    this.#initialBid = new Int64Column(expectedRows)
    this.#reserve = new Int64Column(expectedRows)
    this.#dateTime = new Int64Column(expectedRows)
    this.#expires = new Int64Column(expectedRows)
    this.#seller = new Int64Column(expectedRows)
    this.#category = new Int64Column(expectedRows)
    this.#extra = new BytesColumn(expectedRows)
    const prices = [this.#initialBid, this.#reserve]
    this.#numbers = [this.#id, ...prices, this.#dateTime, this.#expires, this.#seller, this.#category]
  }

  push(event: number): void {
    const { draws, text, population, settings, timeline } = this.#maker
    draws.start(event)
    const micros = timeline.microsOf(event)
    const itemName = text.words(20)
    const description = text.words(100)
    const initialBid = draws.price()
    this.#id.push(BigInt(population.newestAuction(event)))
    this.#itemName.pushText(itemName)
    this.#description.pushText(description)
    this.#initialBid.push(BigInt(initialBid))
    this.#reserve.push(BigInt(initialBid + draws.price()))
    this.#dateTime.push(BigInt(micros))
    this.#expires.push(BigInt(micros + population.auctionMs() * 1000))
    this.#seller.push(BigInt(population.seller(event)))
    this.#category.push(BigInt(FIRST_CATEGORY + draws.below(CATEGORIES)))
    const size = NUMBERS_BYTES + itemName.length + description.length
    this.#extra.push(text.filler(size, settings.auctionAverageBytes))
  }

  pushBlank(): void {
    for (const column of [this.#itemName, this.#description, this.#extra]) column.push(BLANK)
    for (const column of this.#numbers) column.push(0n)
  }

  finish(): readonly Data[] {
    return [
      this.#id.finish(new Int64()),
      this.#itemName.finish(new Utf8()),
      this.#description.finish(new Utf8()),
      this.#initialBid.finish(new Int64()),
      this.#reserve.finish(new Int64()),
      this.#dateTime.finish(new TimestampMicrosecond()),
      this.#expires.finish(new TimestampMicrosecond()),
      this.#seller.finish(new Int64()),
      this.#category.finish(new Int64()),
      this.#extra.finish(new Utf8()),
    ]
  }
}
