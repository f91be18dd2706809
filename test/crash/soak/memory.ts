import { readFileSync } from 'node:fs'

const MIB = 1024 * 1024

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

  /** How fast it grows, MiB an hour: the least-squares line through the samples after the first third of the time. */
  slopeMibPerHour(): number {
    const [first, last] = [this.#samples[0]?.atMs ?? 0, this.#samples.at(-1)?.atMs ?? 0]
    const warm = this.#samples.filter(({ atMs }) => atMs >= first + (last - first) / 3)
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const [atMs, bytes] = [mean(warm.map((each) => each.atMs)), mean(warm.map((each) => each.bytes))]
    const covariance = mean(warm.map((each) => (each.atMs - atMs) * (each.bytes - bytes)))
    const variance = mean(warm.map((each) => (each.atMs - atMs) ** 2))
    return variance === 0 ? 0 : ((covariance / variance) * 3_600_000) / MIB
  }
}
