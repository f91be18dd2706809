import { readFileSync } from 'node:fs'

const MIB = 1024 * 1024
/** A process warms up at first: code is compiled, heaps find their size. */
const WARM_UP = 1 / 3
const JUDGED_MS_MIN = 6 * 60_000
/** More is growth; less, the breath of two garbage collectors. The longer a soak, the slower a leak it finds. */
const RISE_MIB_MAX = 32

/** How memory went after the warm-up, by the least-squares line through its samples. */
export interface MemoryTrend {
  readonly lastMib: number
  readonly mibPerHour: number
  readonly riseMib: number
  readonly verdict: 'steady' | 'growing' | 'too short to tell'
}

/** Samples of a process's resident memory. */
export class MemorySamples {
  readonly #pid: number
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = []

  constructor(pid: number) {
    this.#pid = pid
  }

  take(): void {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'latin1'))?.[1]
    if (kib !== undefined) this.#samples.push({ atMs: performance.now(), bytes: Number(kib) * 1024 })
  }

  /** MiB of the last sample. */
  get lastMib(): number {
    return (this.#samples.at(-1)?.bytes ?? 0) / MIB
  }

  trend(): MemoryTrend {
    const [first, last] = [this.#samples[0]?.atMs ?? 0, this.#samples.at(-1)?.atMs ?? 0]
    const warmMs = first + (last - first) * WARM_UP
    const bytesPerMs = slopeOf(this.#samples.filter(({ atMs }) => atMs >= warmMs))
    const riseMib = (bytesPerMs * (last - warmMs)) / MIB
    const judged = riseMib > RISE_MIB_MAX ? 'growing' : 'steady'
    return {
      lastMib: this.lastMib,
      mibPerHour: (bytesPerMs * 3_600_000) / MIB,
      riseMib,
      verdict: last - warmMs < JUDGED_MS_MIN ? 'too short to tell' : judged,
    }
  }
}

function slopeOf(samples: readonly { readonly atMs: number; readonly bytes: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [atMs, bytes] = [mean(samples.map((each) => each.atMs)), mean(samples.map((each) => each.bytes))]
  const covariance = mean(samples.map((each) => (each.atMs - atMs) * (each.bytes - bytes)))
  const variance = mean(samples.map((each) => (each.atMs - atMs) ** 2))
  return variance > 0 ? covariance / variance : 0
}
