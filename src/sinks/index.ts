import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'
import { consoleFormat } from './console.ts'
import { memoryFormat } from './memory.ts'
import { noopFormat } from './noop.ts'
import type { SinkFormat } from './sink.ts'

/** The sinks that `writeStream.format(…)` and `CREATE SINK … USING …` know by name. */
export const SINKS: Readonly<Record<string, SinkFormat>> = Object.freeze({
  console: consoleFormat(process.stdout),
  memory: memoryFormat,
  noop: noopFormat,
})

/** @throws FORMAT_UNKNOWN */
export function sinkFormat(name: string): SinkFormat {
  const format = SINKS[name.toLowerCase()]
  if (format) return format
  throw new SluiceError('FORMAT_UNKNOWN', {
    kind: 'sink',
    format: name,
    hint: didYouMean(name, Object.keys(SINKS)),
  })
}
