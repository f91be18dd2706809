import { readFile } from 'node:fs/promises'

/** What the query of the demo writes after every batch. */
export interface Totals {
  readonly batchId: number
  /** The process that wrote them. */
  readonly pid: number
  readonly counts: Readonly<Record<string, number>>
}

/** Undefined before the first batch. The file is replaced as a whole, so it is never half written. */
export async function readTotals(file: string): Promise<Totals | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Totals
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** All words together. */
export function sumOf(counts: Iterable<number>): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}
