/** Where chance comes from in a test: the same seed gives the same draws on every machine. */
export interface SeededRandom {
  /** Uniform in [0, 1). */
  next(): number
  /** A whole number in [0, below). */
  below(below: number): number
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T
  /** Looks like a version 4 UUID. */
  uuid(): string
}

/** A small fast counter generator (sfc32, 128 bits of state) seeded from text or a number. */
export function seededRandom(seed: string | number): SeededRandom {
  const state = stateOf(String(seed))
  // The first draws still show the seed; the author of sfc32 discards a dozen.
  for (let i = 0; i < 12; i++) draw(state)
  return {
    next: () => draw(state) / 2 ** 32,
    below: (below) => Math.floor((draw(state) / 2 ** 32) * below),
    pick: (items) => items[Math.floor((draw(state) / 2 ** 32) * items.length)] as (typeof items)[number],
    uuid: () => uuidOf([draw(state), draw(state), draw(state), draw(state)]),
  }
}

function draw(state: Uint32Array): number {
  const [a, b, c, counter] = state as unknown as [number, number, number, number]
  const sum = (a + b + counter) >>> 0
  state[3] = counter + 1
  state[0] = b ^ (b >>> 9)
  state[1] = c + (c << 3)
  state[2] = ((c << 21) | (c >>> 11)) + sum
  return sum
}

/** FNV-1a over the text, once for each word of the state, so that near seeds start far apart. */
function stateOf(seed: string): Uint32Array {
  const state = new Uint32Array(4)
  for (let word = 0; word < 3; word++) {
    let hash = 0x811c9dc5 ^ word
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193)
    state[word] = hash
  }
  state[3] = 1
  return state
}

function uuidOf(words: readonly number[]): string {
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('')
  const variant = '89ab'[Number.parseInt(hex[16] ?? '0', 16) & 3]
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-')
}
