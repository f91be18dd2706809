import { Formats } from '../formats.ts'
import { consoleFormat } from './console.ts'
import { duckdbFormat } from './duckdb/format.ts'
import { fileFormat } from './file/format.ts'
import { httpFormat } from './http/format.ts'
import { kinesisFormat } from './kinesis/format.ts'
import { memoryFormat } from './memory.ts'
import { noopFormat } from './noop.ts'
import { postgresFormat } from './postgres/format.ts'
import type { SinkFormat } from './sink.ts'

/** The sinks that `writeStream.format(…)` and `CREATE SINK … USING …` know by name. */
export const SINKS: Readonly<Record<string, SinkFormat>> = Object.freeze({
  console: consoleFormat(process.stdout),
  memory: memoryFormat,
  noop: noopFormat,
  parquet: fileFormat('parquet'),
  json: fileFormat('json'),
  csv: fileFormat('csv'),
  duckdb: duckdbFormat,
  postgres: postgresFormat,
  kinesis: kinesisFormat,
  http: httpFormat,
})

/** The sinks of one session, to which its user can add. */
export function sinkFormats(): Formats<SinkFormat> {
  return new Formats('sink', SINKS)
}
