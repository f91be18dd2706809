import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ledger, Sink } from './query.ts'

/** A sink that outlives its process: one file a batch, put in place whole. */
export function fileSink(directory: string): Sink {
  return {
    async write(batchId, rows) {
      await mkdir(directory, { recursive: true })
      const before = (await readLedger(directory)).get(batchId)
      if (before) assert.deepEqual(rows, before, `batch ${batchId} came again with other rows`)
      await writeFile(join(directory, 'part'), JSON.stringify(rows))
      await rename(join(directory, 'part'), join(directory, String(batchId)))
    },
  }
}

export async function readLedger(directory: string): Promise<Ledger> {
  const ledger: Ledger = new Map()
  for (const name of await readdir(directory).catch(() => [])) {
    if (name === 'part') continue
    ledger.set(Number(name), JSON.parse(await readFile(join(directory, name), 'utf8')) as number[])
  }
  return ledger
}
