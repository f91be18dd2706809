import { type DiskCalls, diskCalls } from '../../durable-file.ts'
import type { SinkContext, SinkFormat } from '../sink.ts'
import { copyStatement, mergeStatement } from './copy.ts'
import { DirectoryPlace } from './directory-place.ts'
import { FILE_OPTIONS, type FileKind, type FileLayout, parseFileOptions } from './options.ts'
import { Output } from './output.ts'
import type { Place } from './place.ts'

/**
 * Files of one kind in a directory or a bucket, written by DuckDB; every batch adds some. Whoever reads the output
 * sees whole files only, and each batch once.
 *
 * @param calls replaced by tests alone
 */
export function fileFormat(kind: FileKind, calls: DiskCalls = diskCalls): SinkFormat {
  return Object.freeze({
    name: kind,
    // As in Spark: a file that was written is never changed.
    modes: ['append'],
    guarantee: 'exactly-once',
    options: FILE_OPTIONS[kind],
    open: async (context) => {
      const { options, schema, queryId, clock, log } = context
      const layout = parseFileOptions(kind, options, schema)
      const output = new Output(await placeOf(layout, context, calls), layout, queryId, clock, calls)
      await output.inspect()
      return {
        description: layout.description,
        guarantee: 'exactly-once',
        write: async (batchId, { connection, name, rows }) => {
          if (await output.holds(batchId)) return
          await output.add(batchId, rows, (stage) =>
            connection.run(copyStatement(layout, schema, name, stage)),
          )
          const { merge } = layout
          if (!merge || (batchId + 1) % merge.everyBatches !== 0) return
          // The batch is in the output already; what cannot be merged now is merged the next time.
          await output
            .merge(batchId, (files, target) => connection.run(mergeStatement(layout, files, target)))
            .catch((error: unknown) =>
              log.warn({ sink: layout.description, error }, 'small files were not merged'),
            )
        },
        close: () => output.close(),
      }
    },
  } satisfies SinkFormat)
}

async function placeOf(
  { root, s3, description: sink }: FileLayout,
  { queryId, clock, log }: SinkContext,
  calls: DiskCalls,
): Promise<Place> {
  if (!s3) return new DirectoryPlace(root, sink, queryId, { clock, calls })
  // Loaded on demand: the S3 client takes its time to load, and few programs need it.
  const { BucketPlace } = await import('./bucket-place.ts')
  return BucketPlace.open(s3, { sink, root, clock, calls, log })
}
