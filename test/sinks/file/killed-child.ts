import { fileFormat } from '../../../src/sinks/file/format.ts'
import { Bench } from '../../conformance/sink.ts'
import { faultyDisk } from './faulty-disk.ts'

/** Writes batch 0 into the directory it is given, and dies between the data file and the manifest of batch 1. */
const path = process.argv[2] ?? ''
const calls = faultyDisk(async (call, file, _nth, carryOut) => {
  if (call === 'link' && file.endsWith('/1')) process.kill(process.pid, 'SIGKILL')
  return carryOut()
})
const bench = await Bench.open()
const format = fileFormat('parquet', calls)
const sink = await bench.open(format, 'SELECT 1 AS i', 'append', { path })
await bench.write(sink, 0, 'SELECT 1 AS i')
await bench.write(sink, 1, 'SELECT 2 AS i')
