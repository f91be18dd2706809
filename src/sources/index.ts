import { Formats } from '../formats.ts'
import { filesFormat } from './files/format.ts'
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
  parquet: filesFormat('parquet'),
  json: filesFormat('json'),
  csv: filesFormat('csv'),
})

/** The sources of one session, to which its user can add. */
export function sourceFormats(): Formats<SourceFormat> {
  return new Formats('source', SOURCES)
}
