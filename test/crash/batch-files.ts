import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hit } from '../../src/failpoints.ts'
import type { CrashQuery } from './queries.ts'

/** A result row as text; equal rows have equal texts. */
export type Line = string

const LONG = 1000

/** Rows by batch. */
export type Batches = ReadonlyMap<number, readonly Line[]>

/**
 * A sink that outlives its process: one file a batch, put in place whole. A batch that comes again changes nothing,
 * and must bring the rows that it brought before.
 */
export function writeBatch(directory: string, batchId: number, lines: readonly Line[]): void {
  hit('sink.asked')
  const content = JSON.stringify([...lines].sort())
  const before = readBatch(directory, batchId)
  if (before !== undefined && JSON.stringify(before) !== content) {
    throw new Error(`batch ${batchId} came again with other rows: ${content} after ${JSON.stringify(before)}`)
  }
  const draft = join(directory, `draft-${process.pid}`)
  writeFileSync(draft, content)
  hit('sink.drafted')
  renameSync(draft, join(directory, String(batchId)))
  hit('sink.placed')
}

export function readBatches(directory: string): Batches {
  const ids = readdirSync(directory).filter((name) => /^\d+$/.test(name))
  return new Map(ids.map((id) => [Number(id), readBatch(directory, Number(id)) ?? []]))
}

function readBatch(directory: string, batchId: number): Line[] | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, String(batchId)), 'utf8')) as Line[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * 64-bit integers as the shortest text, so that a row has one text whatever width its types have; of a long text its
 * digest.
 */
export function lineOf(row: Readonly<Record<string, unknown>>): Line {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === 'bigint') return Number(value)
    if (typeof value === 'string' && value.length > LONG) {
      return `${value.length} characters ${createHash('md5').update(value).digest('hex')}`
    }
    return value
  })
}

/** Batches are read in order; where a group has changed, its last row counts. */
export function finalLines({ mode, key }: CrashQuery, batches: Batches): readonly Line[] {
  const lines = [...batches].sort(([a], [b]) => a - b).flatMap(([, batch]) => batch)
  if (mode !== 'update') return lines
  const last = new Map<string, Line>()
  for (const line of lines) {
    const row = JSON.parse(line) as Readonly<Record<string, unknown>>
    last.set(JSON.stringify(key.map((name) => row[name])), line)
  }
  return [...last.values()]
}
