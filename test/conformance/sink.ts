import { describe, test } from 'node:test'
import { type SinkUnderTest, sinkChecks } from '../../src/testing/sink-checks.ts'

export { Bench } from '../../src/testing/bench.ts'

/** Runs the invariants of `Sink` over one implementation. */
export function sinkConformance(name: string, arrange: () => SinkUnderTest): void {
  describe(`sink ${name}`, () => {
    for (const check of sinkChecks(arrange)) test(check.name, check.run)
  })
}
