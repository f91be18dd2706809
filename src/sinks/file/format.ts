import { systemClock } from '../../clock.ts'
import { diskCalls } from '../../durable-file.ts'
import type { SinkFormat } from '../sink.ts'
import { copyStatement } from './copy.ts'
import { FILE_OPTIONS, type FileKind, parseFileOptions } from './options.ts'
import { type FileParts, OutputDirectory } from './output-directory.ts'

const THIS_MACHINE: FileParts = { clock: systemClock, calls: diskCalls }

/**
 * Files of one kind in a directory, written by DuckDB; every batch adds some. Whoever reads the directory sees
 * whole files only, and each batch once.
 */
export function fileFormat(kind: FileKind, parts: FileParts = THIS_MACHINE): SinkFormat {
  return Object.freeze({
    name: kind,
    // As in Spark: a file that was written is never changed.
    modes: ['append'],
    guarantee: 'exactly-once',
    options: FILE_OPTIONS[kind],
    open: async ({ options, schema, queryId }) => {
      const layout = parseFileOptions(kind, options, schema)
      const output = new OutputDirectory(layout, queryId, parts)
      await output.inspect()
      return {
        description: layout.description,
        guarantee: 'exactly-once',
        write: async (batchId, { connection, name, rows }) => {
          if (await output.holds(batchId)) return
          await output.add(batchId, rows, (stage) =>
            connection.run(copyStatement(layout, schema, name, stage)),
          )
        },
        close: () => output.close(),
      }
    },
  } satisfies SinkFormat)
}
