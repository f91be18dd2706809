import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../../options.ts'
import type { Origin } from '../generated-source.ts'

/** Every option of the source; defaults are those of the Nexmark suite, aliases the spellings of its Flink connector. */
export const NEXMARK_OPTIONS = {
  table: {
    kind: 'text',
    doc: 'person, auction or bid: the events of one kind, flat; all: every event, one struct a kind',
    oneOf: ['all', 'person', 'auction', 'bid'],
    default: 'all',
  },
  seed: { kind: 'count', doc: 'another seed gives another stream, the same seed the same one', default: '1' },
  events: {
    kind: 'count',
    doc: 'events in all, of every kind; without it the stream never ends',
    min: 1,
    aliases: ['events.num'],
  },
  eventsPerSecond: {
    kind: 'count',
    doc: 'pace, counted from each start of the query; 0 gives events as fast as they are asked for',
    default: '0',
  },
  batchEvents: { kind: 'count', doc: 'most events in one batch, of every kind', min: 1, default: '50000' },
  firstEventTime: {
    kind: 'text',
    doc: 'event time of the first event, ISO-8601, UTC unless it says otherwise',
    default: '2015-07-15T00:00:00Z',
  },
  interEventMicros: {
    kind: 'count',
    doc: 'event time between two events, microseconds; 100 is 10,000 events a second',
    min: 1,
    max: 60_000_000,
    default: '100',
  },
  outOfOrderGroupSize: {
    kind: 'count',
    doc: 'events come shuffled within groups of so many; 1 is in order, multiples of 953 are refused',
    min: 1,
    max: 1_000_000,
    default: '1',
  },
  personProportion: share('people', '1', 'person.proportion'),
  auctionProportion: share('auctions', '3', 'auction.proportion'),
  bidProportion: share('bids', '46', 'bid.proportion'),
  personAverageBytes: size('person', '200', 'person.avg-size'),
  auctionAverageBytes: size('auction', '500', 'auction.avg-size'),
  bidAverageBytes: size('bid', '100', 'bid.avg-size'),
  hotAuctionRatio: ratio('bids go to the hot auction', '2', 'bid.hot-ratio.auctions'),
  hotBiddersRatio: ratio('bids come from the hot bidder', '4', 'bid.hot-ratio.bidders'),
  hotSellersRatio: ratio('auctions are of the hot seller', '4', 'auction.hot-ratio.sellers'),
  inFlightAuctions: {
    kind: 'count',
    doc: 'auctions open at any time, on average',
    min: 1,
    max: 1_000_000,
    default: '100',
  },
  activePeople: {
    kind: 'count',
    doc: 'people, the newest ones, who sell and bid',
    min: 1,
    max: 1_000_000,
    default: '1000',
  },
} as const satisfies OptionTable

/** Everything about the events themselves, and which of them are wanted. */
export interface GeneratorSettings extends Omit<OptionsOf<typeof NEXMARK_OPTIONS>, 'table'> {
  readonly table: EventTable
  readonly firstEventMicros: number
}

export type EventTable = 'all' | 'person' | 'auction' | 'bid'

/** The suite shuffles a group by multiplying with this prime. */
export const SHUFFLE = 953

/** Raised whenever the same settings give other rows than before. */
const GENERATOR_VERSION = 1

/** @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_TWICE */
export function parseNexmarkOptions(given: GivenOptions): GeneratorSettings {
  const options = parseOptions('source nexmark', NEXMARK_OPTIONS, given)
  const { firstEventTime, outOfOrderGroupSize } = options
  if (outOfOrderGroupSize % SHUFFLE === 0)
    refuse('outOfOrderGroupSize', outOfOrderGroupSize, `a number that is no multiple of ${SHUFFLE}`)
  const firstEventMs = instantMs(firstEventTime)
  return Object.freeze({
    ...options,
    table: options.table as EventTable,
    firstEventTime: new Date(firstEventMs).toISOString(),
    firstEventMicros: firstEventMs * 1000,
  })
}

/** What the rows depend on, beside their numbers: the settings that are not the defaults. */
export function originOf(settings: GeneratorSettings): Origin {
  const { events, eventsPerSecond, batchEvents, firstEventMicros, ...ofRows } = settings
  const changed = Object.entries(ofRows).filter(
    ([name, value]) => value !== DEFAULTS[name as keyof typeof ofRows],
  )
  return Object.freeze({ generator: GENERATOR_VERSION, ...Object.fromEntries(changed) })
}

const DEFAULTS = parseNexmarkOptions(new Map())

function instantMs(text: string): number {
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text)
  const isInstant = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)?/.test(text)
  // A date alone is UTC already.
  const ms = Date.parse(hasZone || text.length === 10 ? text : `${text}Z`)
  if (isInstant && Number.isFinite(ms)) return ms
  return refuse('firstEventTime', text, 'an instant such as 2015-07-15T00:00:00Z')
}

function refuse(option: string, value: string | number, expected: string): never {
  throw new SluiceError('OPTION_INVALID', { owner: 'source nexmark', option, value, expected })
}

function share(of: string, usual: string, alias: string) {
  const doc = `${of} in every group of personProportion + auctionProportion + bidProportion events`
  return { kind: 'count', doc, min: 1, max: 10_000, default: usual, aliases: [alias] } as const
}

function size(of: string, usual: string, alias: string) {
  const doc = `average size of a ${of}, as the suite counts it: 8 bytes a number, 1 a character`
  return { kind: 'bytes', doc, max: 1_000_000, default: usual, aliases: [alias] } as const
}

function ratio(of: string, usual: string, alias: string) {
  const doc = `${of} with a probability of 1 - 1 / ratio; 1 means never`
  return { kind: 'count', doc, min: 1, max: 1_000_000, default: usual, aliases: [alias] } as const
}
