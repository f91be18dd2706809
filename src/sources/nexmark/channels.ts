import { Draws } from './draws.ts'
import { RandomText } from './random-text.ts'

/** Where a bid came from, in UTF-8. */
export interface Channel {
  readonly name: Uint8Array
  readonly url: Uint8Array
}

const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple']

/** Every second bid comes through a hot channel. */
const HOT_RATIO = 2

const CHANNELS = 10_000

/** One in so many URLs does not name its channel. */
const WITHOUT_ID = 10

/** All channels of one seed; each has its URL for ever. Made when first used, since a small stream needs few. */
export class Channels {
  readonly #draws: Draws
  readonly #text: RandomText
  readonly #made: Channel[] = []

  constructor(seed: number) {
    this.#draws = new Draws(seed, 'channel')
    this.#text = new RandomText(this.#draws)
  }

  /** The channel of a bid. */
  pick(draws: Draws): Channel {
    const which = draws.isOneIn(HOT_RATIO)
      ? HOT_CHANNELS.length + draws.below(CHANNELS)
      : draws.below(HOT_CHANNELS.length)
    const channel = this.#made[which] ?? this.#make(which)
    this.#made[which] = channel
    return channel
  }

  #make(which: number): Channel {
    this.#draws.start(which)
    const folders = Array.from({ length: 3 }, () => this.#text.characters(5, '_')).join('/')
    const url = `https://www.nexmark.com/${folders}/item.htm?query=1`
    const hot = HOT_CHANNELS[which]
    if (hot !== undefined) return channel(hot, url)
    const number = which - HOT_CHANNELS.length
    const id = this.#draws.isOneIn(WITHOUT_ID) ? '' : `&channel_id=${Math.abs(reversed(number))}`
    return channel(`channel-${number}`, url + id)
  }
}

function channel(name: string, url: string): Channel {
  return { name: Buffer.from(name), url: Buffer.from(url) }
}

/** The 32 bits of `x` from last to first, so that near numbers get distant ids. */
function reversed(x: number): number {
  let bits = 0
  for (let i = 0; i < 32; i++) bits |= ((x >>> i) & 1) << (31 - i)
  return bits
}
