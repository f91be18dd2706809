import { describe, test } from 'node:test'
import { type SourceUnderTest, sourceChecks } from '../../src/testing/source-checks.ts'

/** Runs the invariants of `Source` over one implementation. */
export function sourceConformance(name: string, arrange: () => Promise<SourceUnderTest>): void {
  describe(`source ${name}`, () => {
    for (const check of sourceChecks(arrange)) test(check.name, check.run)
  })
}
