import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'
import { consoleFormat } from './console.ts'
import { duckdbFormat } from './duckdb/format.ts'
import { fileFormat } from './file/format.ts'
import { httpFormat } from './http/format.ts'
import { kinesisFormat } from './kinesis/format.ts'
import { memoryFormat } from './memory.ts'
import { noopFormat } from './noop.ts'
import type { SinkFormat } from './sink.ts'

/** The sinks that `writeStream.format(…)` and `CREATE SINK … USING …` know by name. */
export const SINKS: Readonly<Record<string, SinkFormat>> = Object.freeze({
  console: consoleFormat(process.stdout),
  memory: memoryFormat,
  noop: noopFormat,
  parquet: fileFormat('parquet'),
  json: fileFormat('json'),
  csv: fileFormat('csv'),
  duckdb: duckdbFormat(),
  kinesis: kinesisFormat(),
  http: httpFormat(),
})

/** @throws FORMAT_UNKNOWN */
export function sinkFormat(name: string): SinkFormat {
  const known = Object.keys(SINKS)
  // Not SINKS[name] alone: every object also answers to `constructor`.
  const format = known.includes(name.toLowerCase()) ? SINKS[name.toLowerCase()] : undefined
  if (format) return format
  throw new SluiceError('FORMAT_UNKNOWN', { kind: 'sink', format: name, hint: didYouMean(name, known) })
}
