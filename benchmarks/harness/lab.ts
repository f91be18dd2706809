import { join } from 'node:path'
import type { Json } from '../../src/batch.ts'
import type { Pass, Tally } from './arm.ts'
import { Child } from './child.ts'
import type { Stock } from './records.ts'
import { type Summary, summaryOf } from './summary.ts'

export interface LabOptions {
  /** The benchmark whose arms are started. */
  readonly name: string
  /** Path of a compiled file of `benchmarks`. */
  readonly compiled: (file: string) => string
  /** Timed passes of each arm. */
  readonly runs: number
  /** Share of the usual amount of data: 1, or less for a quick look. */
  readonly scale: number
  /** Which of several queries to measure; without it all. */
  readonly query?: string | undefined
  /** Where CPU profiles of the arms go. */
  readonly profileDirectory: string | undefined
  readonly say: (line: string) => void
}

/** An endpoint process and its streams. */
export interface Endpoint {
  readonly url: string
  seed(stock: Stock): Promise<void>
  create(stream: string, shards: number): Promise<void>
  /** Puts `records` at a pace; resolves when the last one is put. */
  pace(stream: string, perSecond: number, records: number): Promise<void>
}

/** A process with one arm in it. */
export interface ArmProcess {
  readonly name: string
  run(): Promise<Pass>
  verify(): Promise<Tally & { readonly digest: string }>
  observe(request: Json): Promise<Json>
  stop(): Promise<void>
}

/** Starts what a benchmark needs and takes the times. */
export class Lab {
  readonly runs: number
  readonly scale: number
  readonly query: string | undefined
  readonly say: (line: string) => void
  readonly #options: LabOptions
  readonly #children: Child[] = []
  #started = 0

  constructor(options: LabOptions) {
    this.#options = options
    this.runs = options.runs
    this.scale = options.scale
    this.query = options.query
    this.say = options.say
  }

  /** Path of a compiled file of `benchmarks`. */
  compiled(file: string): string {
    return this.#options.compiled(file)
  }

  /** That share of a usual amount of records, but never too few for an answer to be full. */
  scaled(records: number): number {
    return Math.max(20_000, Math.round(records * this.scale))
  }

  async endpoint(): Promise<Endpoint> {
    const child = await this.#start('harness/endpoint-process', [], ['--max-old-space-size=16384'])
    const url = String(await child.ask('url'))
    return {
      url,
      seed: async (stock) => void (await child.ask('seed', stock as unknown as Json)),
      create: async (stream, shards) => void (await child.ask('create', { stream, shards })),
      pace: async (stream, perSecond, records) =>
        void (await child.ask('pace', { stream, perSecond, records })),
    }
  }

  async arm(name: string, parameters: Json): Promise<ArmProcess> {
    const { profileDirectory } = this.#options
    const profile =
      profileDirectory === undefined
        ? []
        : [
            '--cpu-prof',
            '--cpu-prof-dir',
            profileDirectory,
            '--cpu-prof-name',
            `${this.#options.name}-${name}-${this.#started++}.cpuprofile`,
          ]
    const args = [this.#options.name, name, JSON.stringify(parameters)]
    const child = await this.#start('harness/arm-process', args, ['--expose-gc', ...profile])
    return {
      name,
      run: async () => (await child.ask('run')) as unknown as Pass,
      verify: async () => (await child.ask('verify')) as unknown as Tally & { digest: string },
      observe: (request) => child.ask('observe', request),
      stop: () => child.stop(),
    }
  }

  /**
   * Runs the arms in turn, so that what else the machine does meets all of them alike; the first pass of each only
   * warms up.
   */
  async compare(arms: readonly ArmProcess[]): Promise<ReadonlyMap<string, Summary>> {
    const passes = new Map<string, Pass[]>(arms.map((arm) => [arm.name, []]))
    for (const arm of arms) await arm.run()
    for (let run = 0; run < this.runs; run++) {
      for (const arm of arms) passes.get(arm.name)?.push(await arm.run())
    }
    return new Map([...passes].map(([name, each]) => [name, summaryOf(each)]))
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.splice(0).map((child) => child.stop()))
  }

  async #start(file: string, args: readonly string[], execArgv: readonly string[]): Promise<Child> {
    const child = await Child.start(this.#options.compiled(join(file)), args, execArgv)
    this.#children.push(child)
    return child
  }
}
