import { describe, test } from 'node:test'
import { sinkChecks } from '../../src/testing/sink-checks.ts'
import type { SinkUnderTest } from '../../src/testing/sink-under-test.ts'

export { Bench } from '../../src/testing/bench.ts'

/**
 * Runs the invariants of `Sink` over one implementation. `SLUICE_ROWS=1000000` is the most rows of a batch, for all.
 *
 * @param manyRows that everyday testing can wait for
 */
export function sinkConformance(name: string, arrange: () => SinkUnderTest, manyRows = 10_000): void {
  const { SLUICE_ROWS: asked } = process.env
  describe(`sink ${name}`, () => {
    const checks = sinkChecks(arrange, { manyRows: asked === undefined ? manyRows : Number(asked) })
    for (const check of checks) test(check.name, check.run)
  })
}
