/** What the draws are for; different purposes with the same number are independent of each other. */
export type Purpose = 'event' | 'channel'

const PURPOSES: Readonly<Record<Purpose, number>> = { event: 0x51ced270, channel: 0x7c3a9e15 }

/**
 * Chance by counting: what is drawn for a number depends on the seed, the purpose and that number alone, so any event
 * can be made without those before it. 32-bit arithmetic throughout, hence the same on every machine.
 */
export class Draws {
  readonly #seed: number
  readonly #salt: number
  #counter = 0
  #key = 0

  constructor(seed: number, purpose: Purpose) {
    this.#seed = mix(low(seed) ^ PURPOSES[purpose])
    this.#salt = mix(high(seed) + this.#seed)
  }

  /** Begins the draws for `number`, a whole number from 0. */
  start(number: number): void {
    const first = mix(low(number) ^ this.#seed)
    this.#counter = mix(first + high(number))
    this.#key = mix(this.#counter ^ this.#salt)
  }

  /** A whole number in [0, 2^32). */
  next(): number {
    // The golden ratio's fraction visits all counters before any comes again.
    this.#counter = (this.#counter + 0x9e3779b9) | 0
    return mix(this.#counter ^ this.#key) >>> 0
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor((this.next() / 2 ** 32) * below)
  }

  /** True once in `ratio` times. */
  isOneIn(ratio: number): boolean {
    return this.below(ratio) === 0
  }

  /** A price in cents, evenly spread over the powers of ten from 1.00 to 1,000,000.00. */
  price(): number {
    const draw = this.next()
    const [large, middle, small] = POWERS
    return Math.round(
      100 * large![draw >>> 22]! * middle![(draw >>> 12) & 0x3ff]! * small![(draw >>> 2) & 0x3ff]!,
    )
  }
}

/**
 * 10^(6 · k / 2^10), then / 2^20, then / 2^30, for k from 0 to 1023. Made by square roots and products, which IEEE 754
 * rounds alike everywhere; `Math.pow` may differ from one version of the runtime to the next.
 */
const POWERS: readonly Float64Array[] = powerTables(3)

function powerTables(count: number): Float64Array[] {
  let root = 1e6
  return Array.from({ length: count }, () => {
    const table = new Float64Array(1024).fill(1)
    for (let bit = 512; bit > 0; bit >>= 1) {
      root = Math.sqrt(root)
      for (let k = 0; k < 1024; k++) if (k & bit) table[k]! *= root
    }
    return table
  })
}

/** Every bit of the input flips each bit of the output about half the time; one to one. */
function mix(x: number): number {
  let h = x | 0
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return h ^ (h >>> 15)
}

function low(number: number): number {
  return number | 0
}

function high(number: number): number {
  return Math.floor(number / 2 ** 32) | 0
}
