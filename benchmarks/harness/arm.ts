import type { Json } from '../../src/batch.ts'

/** What one pass over the data came to. */
export interface Tally {
  readonly records: number
  /** Bytes of data, rows written: anything cheap that a wrong answer would get wrong. */
  readonly check: number
}

/** One side of a comparison, open and ready to be timed. */
export interface Arm {
  /** One timed pass over all the data. */
  run(): Promise<Tally>
  /** The same pass, untimed, with a digest of every value that came out of it. */
  verify?(): Promise<Tally & { readonly digest: string }>
  /** Anything else that its benchmark measures within the process. */
  observe?(request: Json): Promise<Json>
  close(): Promise<void>
}

export type OpenArm = (parameters: never) => Promise<Arm>

/** One pass as the process of the arm measured it. */
export interface Pass extends Tally {
  readonly ms: number
  /** Of the whole process, all its threads. */
  readonly cpuMs: number
  /** Highest resident set of the process so far. */
  readonly peakRssMb: number
}
