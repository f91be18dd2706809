import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Figures } from './benchmark.ts'

/** A run that is kept beside the benchmarks. */
export interface Kept {
  readonly measuredAt: string
  readonly machine: Figures
  readonly runs: number
  /** 1, or the share of the usual amount of data. */
  readonly scale: number
  readonly figures: Figures
}

const FOLDER = join(import.meta.dirname, '..', 'results')

export async function keep(name: string, kept: Kept): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  await writeFile(join(FOLDER, `${name}.json`), `${JSON.stringify(kept, null, 2)}\n`)
}

export async function kept(name: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(join(FOLDER, `${name}.json`), 'utf8')) as Kept
  } catch {
    // Not measured yet.
    return undefined
  }
}
