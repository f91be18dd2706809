import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'
import { kinesisFormat } from './kinesis/format.ts'
import { nexmarkFormat } from './nexmark/format.ts'
import { rateFormat } from './rate.ts'
import type { SourceFormat } from './source.ts'

/** The sources that `readStream.format(…)` and `CREATE STREAM … USING …` know by name. */
export const SOURCES: Readonly<Record<string, SourceFormat>> = Object.freeze({
  kinesis: kinesisFormat,
  // As the AWS connector for Spark is called, so that a migrated job runs as it was written.
  'aws-kinesis': kinesisFormat,
  nexmark: nexmarkFormat,
  rate: rateFormat,
})

/** @throws FORMAT_UNKNOWN */
export function sourceFormat(name: string): SourceFormat {
  const format = SOURCES[name.toLowerCase()]
  if (format) return format
  throw new SluiceError('FORMAT_UNKNOWN', {
    kind: 'source',
    format: name,
    hint: didYouMean(name, Object.keys(SOURCES)),
  })
}
