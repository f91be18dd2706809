import { type SeededRandom, seededRandom } from '../../src/testing/seeded-random.ts'

/**
 * Runs a randomised check for several seeds. A failure names its seed; `SLUICE_SEED=…` runs that one alone, and
 * `SLUICE_SEEDS=1000` runs more of them than the few that everyday testing needs, `SLUICE_SEEDS=1000-1999` those from
 * the first to the last, so that a long run can be cut in parts.
 *
 * @param of the few are drawn from so many, others in every run
 */
export async function forSeeds(
  few: number,
  check: (random: SeededRandom, seed: string) => Promise<void>,
  of = few,
): Promise<void> {
  const { SLUICE_SEED: only, SLUICE_SEEDS: many } = process.env
  const seeds = only !== undefined ? [only] : many !== undefined ? range(many) : drawn(few, upTo(of))
  for (const seed of seeds) {
    try {
      await check(seededRandom(seed), seed)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`seed ${seed} (SLUICE_SEED=${seed} runs it again): ${message}`, { cause: error })
    }
  }
}

const upTo = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

/** `1000`: the first thousand; `1000-1999`: the second. */
function range(text: string): string[] {
  const [first, last] = text.includes('-') ? text.split('-').map(Number) : [0, Number(text) - 1]
  return upTo((last ?? 0) + 1).slice(first)
}

/** In their order. */
function drawn(few: number, all: readonly string[]): readonly string[] {
  if (few >= all.length) return all
  const { next } = seededRandom(`${process.pid}-${process.hrtime.bigint()}`)
  const chosen = new Set(
    all
      .map((seed) => ({ seed, at: next() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, few)
      .map(({ seed }) => seed),
  )
  return all.filter((seed) => chosen.has(seed))
}
