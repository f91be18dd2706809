import type { Pass } from './arm.ts'
import { agree } from './benchmark.ts'

/** Several passes of one arm. */
export interface Summary {
  readonly records: number
  readonly check: number
  readonly recordsPerSecond: Spread
  readonly ms: Spread
  /** Median over the passes, all threads of the arm's process. */
  readonly cpuSeconds: number
  readonly peakRssMb: number
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @throws WrongResult when the passes did not come to the same */
export function summaryOf(passes: readonly Pass[]): Summary {
  const [first] = passes as [Pass]
  agree(
    'the number of records of the passes',
    passes.map((pass) => pass.records),
  )
  agree(
    'what the passes came to',
    passes.map((pass) => pass.check),
  )
  return {
    records: first.records,
    check: first.check,
    recordsPerSecond: spreadOf(passes.map((pass) => (pass.records * 1000) / pass.ms)),
    ms: spreadOf(passes.map((pass) => pass.ms)),
    cpuSeconds: spreadOf(passes.map((pass) => pass.cpuMs / 1000)).median,
    peakRssMb: Math.max(...passes.map((pass) => pass.peakRssMb)),
  }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** @param sorted ascending */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export function rounded(value: number, digits = 0): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
