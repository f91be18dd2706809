import type { Schema } from '../../batch.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionTable, parseOptions } from '../../options.ts'
import type { OutputMode } from '../../output-mode.ts'
import { keyColumns } from '../key-columns.ts'
import { localPath } from '../local-path.ts'

export const DUCKDB_OPTIONS = {
  path: { kind: 'text', required: true, doc: 'the database file; made when it is not there' },
  table: {
    kind: 'text',
    required: true,
    doc: 'the table, or schema.table; made for the columns of the query when it is not there',
  },
  key: {
    kind: 'text',
    doc: 'columns, separated by commas, that tell rows apart; needed in update mode, and for nothing else',
  },
  detachBetweenBatches: {
    kind: 'boolean',
    doc: 'let go of the file after every batch, so that other processes can open it',
    default: 'true',
  },
  lockTimeout: {
    kind: 'duration',
    doc: 'how long a batch waits for other processes to let go of the file',
    default: '30s',
  },
} as const satisfies OptionTable

/** A table in a file, and how to write to it. */
export interface TableTarget {
  /** For messages: `duckdb[/data/app.duckdb, counts]`. */
  readonly description: string
  /** Absolute. */
  readonly path: string
  readonly schema: string
  readonly table: string
  /** Empty but in update mode. */
  readonly key: readonly string[]
  readonly detachBetweenBatches: boolean
  readonly lockTimeoutMs: number
}

/** What the sink takes as its path. */
export const FILE = 'the path of a local DuckDB file, such as /data/app.duckdb'

/** The schema of the sink's own notes; see `table-writer.ts`. */
export const NOTES = 'sluice'

const OWNER = 'sink duckdb'

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, SINK_PATH */
export function parseDuckdbOptions(given: GivenOptions, mode: OutputMode, schema: Schema): TableTarget {
  const options = parseOptions(OWNER, DUCKDB_OPTIONS, given)
  const { path, detachBetweenBatches, lockTimeout: lockTimeoutMs } = options
  if (path === ':memory:') {
    const reason = 'it would be gone with the session; the memory sink is for that'
    throw new SluiceError('SINK_PATH', { sink: 'duckdb', path, reason, expected: FILE })
  }
  return Object.freeze({
    description: `duckdb[${path}, ${options.table}]`,
    path: localPath('duckdb', path, FILE),
    ...nameOf(options.table),
    key: keyColumns(OWNER, options.key, mode, schema),
    detachBetweenBatches,
    lockTimeoutMs,
  })
}

function nameOf(text: string): { schema: string; table: string } {
  const [first = '', second, ...more] = text.split('.')
  const [schema, table] = second === undefined ? ['main', first] : [first, second]
  if (more.length > 0 || schema === '' || table === '' || schema.toLowerCase() === NOTES) {
    const expected = `a name such as counts or app.counts, in another schema than ${NOTES}`
    throw new SluiceError('OPTION_INVALID', { owner: OWNER, option: 'table', value: text, expected })
  }
  return { schema, table }
}
