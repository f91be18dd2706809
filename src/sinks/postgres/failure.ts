import { reasonOf, SluiceError } from '../../errors.ts'
import type { PostgresTarget } from './options.ts'

const REACH = 'check that the server runs, takes connections and can be reached from here'
const ROWS = 'correct such rows in the SELECT, or alter the table; the batch is not committed and comes again'
const TLS = 'give sslRootCert, correct host, or choose another sslMode'

/** What to do, by SQLSTATE (or its first characters) or by the code of Node. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^28/, 'check user and password, and whether pg_hba.conf lets them in from here'],
  [/^3D000/, 'create the database, or correct the option database'],
  [
    /^42501/,
    'grant the user CONNECT, USAGE and CREATE on the schema, and SELECT, INSERT, UPDATE and DELETE on its tables',
  ],
  [
    /^42P01/,
    'a table was dropped while the query ran: restore it; or delete its row from sluice_batches, and rows begin anew',
  ],
  [/^(22|23)/, ROWS],
  [/^(57014|55P03)/, 'look for what holds a lock on the table, or raise statementTimeout'],
  [/^40/, 'look for other transactions that change the same rows'],
  [/^53/, 'give the server more room: connections, memory or disk'],
  [/^25006/, 'give the host of the primary: this server takes no writes'],
]

/** These may pass by themselves. */
const PASSING = /^(08|40001|40P01|53|55P03|57|58|XX000|E[A-Z]+$)/
const TLS_FAILED = /certificate|self.signed|SSL|TLS|altname/i

/** What the driver throws, as an error of the sink; errors with a code of ours stay as they are. */
export function failure(
  { description, host, port }: PostgresTarget,
  operation: string,
  error: unknown,
): unknown {
  if (error instanceof SluiceError) return error
  const state = codeOf(error)
  const message = withoutData(state, reasonOf(error))
  const params = {
    sink: description,
    operation,
    host: `${host}:${port}`,
    reason: state === undefined ? message : `${message} (${state})`,
    remedy: remedyOf(state, message),
  }
  const isPassing = state === undefined ? !TLS_FAILED.test(message) : PASSING.test(state)
  return new SluiceError(isPassing ? 'SINK_DATABASE_UNAVAILABLE' : 'SINK_DATABASE', params, { cause: error })
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : undefined
}

function remedyOf(state: string | undefined, message: string): string {
  if (state !== undefined && /^[0-9A-Z]{5}$/.test(state)) {
    return REMEDIES.find(([pattern]) => pattern.test(state))?.[1] ?? 'correct what the reason says'
  }
  return TLS_FAILED.test(message) ? TLS : REACH
}

/** The server quotes the value that it cannot take; an error of ours must not. */
function withoutData(state: string | undefined, message: string): string {
  return state?.startsWith('22') ? message.replace(/"[^"]*"?/gs, '"…"') : message
}
