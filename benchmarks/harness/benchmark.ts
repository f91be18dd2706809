import type { Json } from '../../src/batch.ts'
import type { OpenArm } from './arm.ts'
import type { Lab } from './lab.ts'

/** What a benchmark found out; printed as one JSON object and kept under `results/`. */
export type Figures = { readonly [figure: string]: Json }

/** Figures as a reader wants them: a table, and a plot where there is a curve to see. */
export interface Exhibit {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
  readonly plot?: Plot
}

/** Bars by group and series. */
export interface Plot {
  readonly title: string
  /** Of the values: `million records/s`. */
  readonly unit: string
  readonly groups: readonly string[]
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
}

/**
 * One question and how it is answered.
 *
 * Invariants: all that is compared runs in the same call of `run`, on the same endpoint, each arm in a process of its
 * own; `run` throws `WrongResult` when an arm's count or digest is not that of the others.
 */
export interface Benchmark {
  readonly name: string
  /** One sentence. */
  readonly question: string
  /** What its processes can do, by name. */
  readonly arms: Readonly<Record<string, OpenArm>>
  /** Names of the queries that `--query` can choose one of; left out where there is no choice. */
  readonly queries?: readonly string[]
  run(lab: Lab): Promise<Figures>
  exhibit(figures: Figures): Exhibit
}

/** A fast wrong answer fails. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult'
}

/** @throws WrongResult unless all are the same */
export function agree(what: string, values: readonly (string | number)[]): void {
  if (values.every((value) => value === values[0])) return
  throw new WrongResult(`${what} differs: ${values.join(', ')}`)
}
