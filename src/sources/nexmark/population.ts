import type { Draws } from './draws.ts'
import type { GeneratorSettings } from './options.ts'

/** Ids start here, so that small numbers in a query's constants hit nothing by chance. */
export const FIRST_PERSON_ID = 1000
export const FIRST_AUCTION_ID = 1000

/** So many ids that are not yet there may be named: their events seem to come late. */
const ID_LEAD = 10

/** One in so many people and auctions is a hot one, for as long as it is among the newest. */
const HOT_EVERY = 100

/** Who is there when an event happens: ids count up with the events, so this needs no memory. */
export class Population {
  readonly #settings: GeneratorSettings
  readonly #draws: Draws

  constructor(settings: GeneratorSettings, draws: Draws) {
    this.#settings = settings
    this.#draws = draws
  }

  /** The person who came with event `event`, or last before it. */
  newestPerson(event: number): number {
    return FIRST_PERSON_ID + this.#people(event) - 1
  }

  /** The auction that was opened with event `event`, or last before it. */
  newestAuction(event: number): number {
    return FIRST_AUCTION_ID + this.#auctions(event) - 1
  }

  /** The seller of an auction: mostly the hot one, else any active person. */
  seller(event: number): number {
    const isHot = !this.#draws.isOneIn(this.#settings.hotSellersRatio)
    return FIRST_PERSON_ID + (isHot ? hot(this.#people(event)) : this.#activePerson(event))
  }

  /** Next to the hot seller, so that the two are not the same person. */
  bidder(event: number): number {
    const isHot = !this.#draws.isOneIn(this.#settings.hotBiddersRatio)
    return FIRST_PERSON_ID + (isHot ? hot(this.#people(event)) + 1 : this.#activePerson(event))
  }

  /** The auction of a bid: often the hot one, else any that is likely to be open. */
  biddenAuction(event: number): number {
    const auctions = this.#auctions(event)
    const isHot = !this.#draws.isOneIn(this.#settings.hotAuctionRatio)
    if (isHot) return FIRST_AUCTION_ID + hot(auctions)
    const oldest = Math.max(0, auctions - 1 - this.#settings.inFlightAuctions)
    return FIRST_AUCTION_ID + oldest + this.#draws.below(auctions - oldest + ID_LEAD)
  }

  /** How long an auction lasts, milliseconds: on average until `inFlightAuctions` more have been opened. */
  auctionMs(): number {
    const { inFlightAuctions, auctionProportion, interEventMicros } = this.#settings
    const events = Math.floor((inFlightAuctions * this.#cycle) / auctionProportion)
    return 1 + this.#draws.below(Math.max(1, 2 * Math.floor((events * interEventMicros) / 1000)))
  }

  #activePerson(event: number): number {
    const people = this.#people(event)
    const active = Math.min(people, this.#settings.activePeople)
    return people - active + this.#draws.below(active + ID_LEAD)
  }

  /** People up to and including event `event`; at least one, since every cycle begins with people. */
  #people(event: number): number {
    const { personProportion } = this.#settings
    const within = event % this.#cycle
    return Math.floor(event / this.#cycle) * personProportion + Math.min(within + 1, personProportion)
  }

  /** Auctions up to and including event `event`, which is no person of the first cycle. */
  #auctions(event: number): number {
    const { personProportion, auctionProportion } = this.#settings
    const within = (event % this.#cycle) - personProportion
    const inCycle = Math.max(0, Math.min(within + 1, auctionProportion))
    return Math.floor(event / this.#cycle) * auctionProportion + inCycle
  }

  get #cycle(): number {
    const { personProportion, auctionProportion, bidProportion } = this.#settings
    return personProportion + auctionProportion + bidProportion
  }
}

/** The hot one among `count`: the first of the newest hundred. */
function hot(count: number): number {
  return Math.floor((count - 1) / HOT_EVERY) * HOT_EVERY
}
