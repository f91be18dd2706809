import type { RecordBatch } from 'apache-arrow'
import { Int64 } from 'apache-arrow'
import { Int64Column, recordBatch, type Schema } from '../../src/batch.ts'
import type { Source, SourceFormat } from '../../src/sources/source.ts'

const SCHEMA: Schema = [{ name: 'key', type: 'BIGINT' }]

/** A source of one column of integers, made batch by batch and held by nobody: for what comes after the reading. */
export interface ArrowBatches {
  /** The keys of batch `index`; undefined when there is none (yet). */
  keysOf(index: number): Iterable<bigint> | undefined
}

export function arrowFormat(batches: ArrowBatches): SourceFormat {
  return {
    name: 'keys',
    schema: () => SCHEMA,
    describe: () => 'keys',
    open: () => openSource(batches),
  }
}

function openSource(batches: ArrowBatches): Source {
  const batchAt = (index: number) => {
    const keys = batches.keysOf(index)
    if (!keys) return undefined
    const column = new Int64Column()
    for (const key of keys) column.push(key)
    const records: RecordBatch = recordBatch(SCHEMA, [column.finish(new Int64())])
    const range = { start: index, end: index + 1 }
    return { range, rows: records.numRows, records: [records], digest: String(index) }
  }
  return {
    description: 'keys',
    schema: SCHEMA,
    initial: async () => 0,
    resume: async () => undefined,
    pinEnd: async () => undefined,
    read: async (from) => {
      const batch = batchAt(from as number)
      return batch ? { batch, drained: false } : { drained: true }
    },
    reread: async ({ start }) => {
      const batch = batchAt(start as number)
      if (!batch) throw new RangeError(`no batch ${String(start)}`)
      return batch
    },
    metrics: () => ({}),
    close: async () => undefined,
  }
}
