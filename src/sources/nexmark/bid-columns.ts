import { type Data, Int64, TimestampMicrosecond, Utf8 } from 'apache-arrow'
import { BytesColumn, Int64Column, type Schema } from '../../batch.ts'
import type { EventMaker } from './event-maker.ts'
import { BLANK, type KindColumns } from './table-columns.ts'

export const BID_SCHEMA: Schema = Object.freeze([
  { name: 'auction', type: 'BIGINT' },
  { name: 'bidder', type: 'BIGINT' },
  { name: 'price', type: 'BIGINT' },
  { name: 'channel', type: 'VARCHAR' },
  { name: 'url', type: 'VARCHAR' },
  { name: 'dateTime', type: 'TIMESTAMP' },
  { name: 'extra', type: 'VARCHAR' },
])

/** Bytes of auction, bidder, price and time; the suite does not count channel and URL. */
const NUMBERS_BYTES = 32

/** Usual bytes of a row, to reserve space at once. */
const CHANNEL_BYTES = 10
const URL_BYTES = 72

export class BidColumns implements KindColumns {
  readonly #maker: EventMaker
  readonly #auction: Int64Column
  readonly #bidder: Int64Column
  readonly #price: Int64Column
  readonly #channel: BytesColumn
  readonly #url: BytesColumn
  readonly #dateTime: Int64Column
  readonly #extra: BytesColumn

  constructor(maker: EventMaker, expectedRows: number) {
    this.#maker = maker
    this.#auction = new Int64Column(expectedRows)
    this.#bidder = new Int64Column(expectedRows)
    this.#price = new Int64Column(expectedRows)
    this.#channel = new BytesColumn(expectedRows, expectedRows * CHANNEL_BYTES)
    this.#url = new BytesColumn(expectedRows, expectedRows * URL_BYTES)
    this.#dateTime = new Int64Column(expectedRows)
    this.#extra = new BytesColumn(expectedRows, expectedRows * maker.settings.bidAverageBytes)
  }

  push(event: number): void {
    const { draws, text, population, channels, settings, timeline } = this.#maker
    draws.start(event)
    this.#auction.push(BigInt(population.biddenAuction(event)))
    this.#bidder.push(BigInt(population.bidder(event)))
    this.#price.push(BigInt(draws.price()))
    const { name, url } = channels.pick(draws)
    this.#channel.push(name)
    this.#url.push(url)
    this.#dateTime.push(BigInt(timeline.microsOf(event)))
    this.#extra.push(text.filler(NUMBERS_BYTES, settings.bidAverageBytes))
  }

  pushBlank(): void {
    for (const column of [this.#auction, this.#bidder, this.#price, this.#dateTime]) column.push(0n)
    for (const column of [this.#channel, this.#url, this.#extra]) column.push(BLANK)
  }

  finish(): readonly Data[] {
    return [
      this.#auction.finish(new Int64()),
      this.#bidder.finish(new Int64()),
      this.#price.finish(new Int64()),
      this.#channel.finish(new Utf8()),
      this.#url.finish(new Utf8()),
      this.#dateTime.finish(new TimestampMicrosecond()),
      this.#extra.finish(new Utf8()),
    ]
  }
}
