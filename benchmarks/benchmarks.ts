import type { Benchmark } from './harness/benchmark.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { nexmark } from './nexmark.ts'
import { readPath } from './read-path.ts'
import { shards } from './shards.ts'
import { startup } from './startup.ts'
import { stateGrowth } from './state-growth.ts'
import { stateless } from './stateless.ts'
import { ysb } from './ysb.ts'

/** Every benchmark there is, in the order of the list. */
export const BENCHMARKS: readonly Benchmark[] = [
  readPath,
  stateless,
  ysb,
  nexmark,
  latency,
  startup,
  stateGrowth,
  shards,
  memory,
]
