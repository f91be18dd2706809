import type { Draws } from './draws.ts'

const LETTERS = 26
const A = 97

/** Letters that fit into one draw: 26^6 < 2^32. */
const LETTERS_A_DRAW = 6

/** A character is a blank once in 13 times, else any letter: 13 · 26 equal cases, three characters a draw. */
const CASES = 13 * LETTERS
const CHARACTERS_A_DRAW = 3

/** Smallest text of `words`, as in the suite. */
const LEAST_CHARACTERS = 3

/** Random texts of the kinds that events are made of. */
export class RandomText {
  readonly #draws: Draws
  #bytes = new Uint8Array(1024)

  constructor(draws: Draws) {
    this.#draws = draws
  }

  /** 3 to `below` - 1 letters and blanks; blanks at the ends are cut off. */
  words(below: number): string {
    return this.characters(below, ' ').trim()
  }

  /** 3 to `below` - 1 letters, with `blank` for one in thirteen. */
  characters(below: number, blank: string): string {
    const length = LEAST_CHARACTERS + this.#draws.below(below - LEAST_CHARACTERS)
    let text = ''
    let draw = 0
    for (let i = 0; i < length; i++) {
      draw = i % CHARACTERS_A_DRAW === 0 ? this.#draws.next() : Math.floor(draw / CASES)
      const which = draw % CASES
      text += which < LETTERS ? blank : String.fromCharCode(A + (which % LETTERS))
    }
    return text
  }

  /**
   * Letters that bring an event to its average size, up to a fifth more or less of what is missing. The bytes are
   * overwritten by the next call.
   */
  filler(size: number, averageSize: number): Uint8Array {
    const missing = Math.max(0, averageSize - size)
    const spread = Math.round(missing * 0.2)
    return this.#letters(missing - spread + (spread > 0 ? this.#draws.below(2 * spread) : 0))
  }

  #letters(length: number): Uint8Array {
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(length * 2)
    const bytes = this.#bytes
    for (let i = 0; i < length; ) {
      let draw = this.#draws.next()
      for (const end = Math.min(length, i + LETTERS_A_DRAW); i < end; i++) {
        bytes[i] = A + (draw % LETTERS)
        draw = (draw / LETTERS) >>> 0
      }
    }
    return bytes.subarray(0, length)
  }
}
