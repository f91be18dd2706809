import { type SeededRandom, seededRandom } from '../../src/testing/seeded-random.ts'

/**
 * Runs a randomised check for several seeds. A failure names its seed; `SLUICE_SEED=…` runs that one alone, and
 * `SLUICE_SEEDS=1000` runs more of them than the few that everyday testing needs.
 */
export async function forSeeds(
  few: number,
  check: (random: SeededRandom, seed: string) => Promise<void>,
): Promise<void> {
  const only = process.env['SLUICE_SEED']
  const count = Number(process.env['SLUICE_SEEDS'] ?? few)
  const seeds = only === undefined ? Array.from({ length: count }, (_, index) => String(index)) : [only]
  for (const seed of seeds) {
    try {
      await check(seededRandom(seed), seed)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`seed ${seed} (SLUICE_SEED=${seed} runs it again): ${message}`, { cause: error })
    }
  }
}
