import type { Row } from '../../src/duckdb.ts'
import { consoleFormat } from '../../src/sinks/console.ts'
import { foreachBatchFormat } from '../../src/sinks/foreach-batch.ts'
import { memoryFormat } from '../../src/sinks/memory.ts'
import { noopFormat } from '../../src/sinks/noop.ts'
import { sinkConformance } from './sink.ts'

sinkConformance('memory', () => ({
  format: memoryFormat,
  contents: (connection) => connection.rows('FROM memory.main.out'),
}))

sinkConformance('console', () => ({ format: consoleFormat({ write: () => true }) }))

sinkConformance('noop', () => ({ format: noopFormat }))

sinkConformance('foreachBatch', () => {
  const rows: Row[] = []
  return {
    format: foreachBatchFormat(async (batch) => void rows.push(...(await batch.toObjects()))),
    contents: async () => rows,
  }
})
