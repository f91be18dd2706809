import type { RetryLimits } from '../../backoff.ts'
import type { Schema } from '../../batch.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../../options.ts'
import type { OutputMode } from '../../output-mode.ts'
import { keyColumns } from '../key-columns.ts'
import { RETRY_OPTIONS, retryLimits } from '../retry-options.ts'

export const POSTGRES_OPTIONS = {
  url: {
    kind: 'secret',
    doc: 'where and as whom: postgres://user:password@host:5432/database, also with jdbc: before it; or the options below',
  },
  host: { kind: 'text', doc: 'name or address of the server' },
  port: { kind: 'count', doc: 'of the server; 5432 when none is given', min: 1, max: 65_535 },
  database: { kind: 'text', doc: 'the database; it has to be there' },
  user: { kind: 'text', doc: 'else PGUSER, else the user of the process' },
  password: { kind: 'secret', doc: 'else PGPASSWORD, else ~/.pgpass' },
  table: {
    kind: 'text',
    required: true,
    doc: 'the table, or schema.table; made for the columns of the query when it is not there',
    aliases: ['dbtable'],
  },
  key: {
    kind: 'text',
    doc: 'columns, separated by commas, that tell rows apart; needed in update mode, and for nothing else',
  },
  sslMode: {
    kind: 'text',
    oneOf: ['disable', 'require', 'verify-ca', 'verify-full'],
    doc: 'as in libpq; verify-full unless the server is this machine, which needs no TLS',
    aliases: ['ssl.mode'],
  },
  sslRootCert: {
    kind: 'text',
    doc: 'PEM file of the authorities to trust; else those of Node (NODE_EXTRA_CA_CERTS adds to them)',
  },
  connectTimeout: { kind: 'duration', doc: 'for a connection to be ready', default: '10s', min: 1 },
  statementTimeout: { kind: 'duration', doc: 'for each statement', default: '1m', min: 1 },
  rowsPerStatement: { kind: 'count', doc: 'rows of an INSERT', default: '5000', min: 1, max: 100_000 },
  ...RETRY_OPTIONS,
} as const satisfies OptionTable

type SslMode = (typeof POSTGRES_OPTIONS.sslMode.oneOf)[number]

/** A table on a server, and how to reach and to write it. */
export interface PostgresTarget {
  /** For messages: `postgres[app, public.counts]`. */
  readonly description: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly sslMode: SslMode
  readonly sslRootCert: string | undefined
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly schema: string
  readonly table: string
  /** Empty but in update mode. */
  readonly key: readonly string[]
  readonly rowsPerStatement: number
  readonly retry: RetryLimits
}

/** The sink's own table, in the schema of the target. */
export const NOTES = 'sluice_batches'

const OWNER = 'sink postgres'
const HERE = /^(localhost|127(\.\d+){3}|::1|\/.*)$/

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID, OPTION_TWICE */
export function parsePostgresOptions(given: GivenOptions, mode: OutputMode, schema: Schema): PostgresTarget {
  const options = parseOptions(OWNER, POSTGRES_OPTIONS, given)
  const server = options.url === undefined ? serverOf(options) : serverOfUrl(options.url, options)
  const name = nameOf(options.table)
  return Object.freeze({
    description: `postgres[${server.database}, ${name.schema}.${name.table}]`,
    ...server,
    sslMode: (options.sslMode ??
      server.sslMode ??
      (HERE.test(server.host) ? 'disable' : 'verify-full')) as SslMode,
    sslRootCert: options.sslRootCert,
    connectTimeoutMs: options.connectTimeout,
    statementTimeoutMs: options.statementTimeout,
    ...name,
    key: keyColumns(OWNER, options.key, mode, schema),
    rowsPerStatement: options.rowsPerStatement,
    retry: retryLimits(options),
  })
}

type Parsed = OptionsOf<typeof POSTGRES_OPTIONS>

const SERVER = ['host', 'port', 'database', 'user', 'password'] as const

function serverOf(options: Parsed) {
  const need = (option: 'host' | 'database'): string => {
    const value = options[option]
    if (value) return value
    throw new SluiceError('OPTION_MISSING', { owner: OWNER, option, doc: POSTGRES_OPTIONS[option].doc })
  }
  const { port = 5432, user, password } = options
  return { host: need('host'), port, database: need('database'), user, password, sslMode: undefined }
}

function serverOfUrl(text: string, options: Parsed) {
  const refuse = (expected: string) =>
    new SluiceError('OPTION_INVALID', { owner: OWNER, option: 'url', value: '***', expected })
  const both = SERVER.find((option) => options[option] !== undefined)
  if (both) throw refuse(`either url or ${both}`)
  const plain = text.replace(/^jdbc:/i, '')
  const url = URL.canParse(plain) ? new URL(plain) : undefined
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || !url.hostname || !/^\/[^/]+$/.test(url.pathname)) {
    throw refuse('postgres://user:password@host:5432/database, percent-encoded where it must be')
  }
  const sslMode = url.searchParams.get('sslmode')?.toLowerCase()
  url.searchParams.delete('sslmode')
  const isMode = sslMode === undefined || POSTGRES_OPTIONS.sslMode.oneOf.some((mode) => mode === sslMode)
  if (!isMode || url.search !== '') {
    throw refuse(`no parameter but sslmode=${POSTGRES_OPTIONS.sslMode.oneOf.join('|')}; the rest are options`)
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    sslMode,
  }
}

/** Names are taken as they are written: PostgreSQL's own folding to lower case is for names without quotes. */
function nameOf(text: string): { schema: string; table: string } {
  const [first = '', second, ...more] = text.split('.')
  const [schema, table] = second === undefined ? ['public', first] : [first, second]
  if (more.length > 0 || schema === '' || table === '' || table === NOTES) {
    const expected = `a name such as counts or app.counts, other than ${NOTES}`
    throw new SluiceError('OPTION_INVALID', { owner: OWNER, option: 'table', value: text, expected })
  }
  return { schema, table }
}
