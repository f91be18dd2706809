import type { Writable } from 'node:stream'
import { SluiceError } from '../errors.ts'
import { type OptionTable, parseOptions } from '../options.ts'
import { escaped, renderTable } from './render-table.ts'
import type { SinkFormat } from './sink.ts'

const OPTIONS = {
  numRows: { kind: 'count', default: '20', min: 1, doc: 'rows of a batch shown at most' },
  truncate: {
    kind: 'text',
    default: 'true',
    doc: 'whether values longer than 20 characters are cut, or the number of characters',
  },
} as const satisfies OptionTable

/** Prints every batch as a table. A batch that comes again after a crash is printed again. */
export function consoleFormat(output: Writable): SinkFormat {
  return Object.freeze({
    name: 'console',
    modes: ['append', 'update', 'complete'],
    guarantee: 'none',
    options: OPTIONS,
    open: async ({ options, queryName }) => {
      const { numRows, truncate } = parseOptions('sink console', OPTIONS, options)
      const settings = { rows: numRows, truncate: charactersOf(truncate) }
      const suffix = queryName === undefined ? '' : ` of ${escaped(queryName)}`
      return {
        description: 'console',
        guarantee: 'none',
        write: async (batchId, { connection, name }) => {
          const title = `Batch: ${batchId}${suffix}`
          const line = '-'.repeat(title.length)
          const body = await renderTable(connection, `FROM ${name}`, settings)
          await print(output, `${line}\n${title}\n${line}\n${body}\n`)
        },
        close: async () => undefined,
      }
    },
  } satisfies SinkFormat)
}

/** Resolves when the reader of `output` has taken the text: a slow one slows the query, a gone one fails it. */
function print(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // The stream's own 'error' event comes after the callback; unheard, it would end the process.
    output.once('error', reject)
    output.write(text, (error) => {
      if (error) return reject(error)
      output.off('error', reject)
      resolve()
    })
  })
}

/** Spark's `truncate`: true is 20 characters, false is all of them. */
function charactersOf(truncate: string): number {
  if (/^true$/i.test(truncate)) return 20
  if (/^false$/i.test(truncate)) return 0
  if (/^\d{1,9}$/.test(truncate)) return Number(truncate)
  const expected = 'true, false or a number of characters'
  throw new SluiceError('OPTION_INVALID', {
    owner: 'sink console',
    option: 'truncate',
    value: truncate,
    expected,
  })
}
