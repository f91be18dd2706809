import { readFileSync } from 'node:fs'
import type { Client, ClientConfig } from 'pg'
import { reasonOf, SluiceError } from '../../errors.ts'
import { failure } from './failure.ts'
import type { PostgresTarget } from './options.ts'

/** One statement of a transaction. */
export type Statement = (
  sql: string,
  values?: readonly unknown[],
) => Promise<readonly Record<string, unknown>[]>

/** Longer than the server's own limit, so that it is the server who stops a statement whenever it can. */
const GRACE_MS = 5000

/**
 * The connection to a server, opened when it is needed and again after it was lost. One transaction at a time.
 */
export class Server {
  readonly #target: PostgresTarget
  #client: Client | undefined

  constructor(target: PostgresTarget) {
    this.#target = target
  }

  /**
   * Does some work in a transaction, which ends with it.
   *
   * @param operation for messages: `write batch 3`
   * @throws SINK_DATABASE, SINK_DATABASE_UNAVAILABLE; what the work throws with a code of its own
   */
  async transaction<T>(operation: string, work: (run: Statement) => Promise<T>): Promise<T> {
    try {
      this.#client ??= await this.#connect()
    } catch (error) {
      throw failure(this.#target, `connect to ${operation}`, error)
    }
    const client = this.#client
    const run: Statement = async (sql, values = []) => (await client.query(sql, [...values])).rows
    try {
      // In the transaction, not at the start of the session: a pooler may share that among its clients.
      await client.query(
        `BEGIN; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; ` +
          `SET LOCAL statement_timeout = ${Math.ceil(this.#target.statementTimeoutMs)}`,
      )
      const result = await work(run)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch(() => this.#discard(client))
      throw failure(this.#target, operation, error)
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  async #connect(): Promise<Client> {
    const { host, port, database, user, password, connectTimeoutMs, statementTimeoutMs } = this.#target
    // When it is needed: whoever writes elsewhere would wait for it at every start.
    const { default: pg } = await import('pg')
    const client = new pg.Client({
      host,
      port,
      database,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ssl: tlsOf(this.#target),
      application_name: 'sluice',
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: statementTimeoutMs + GRACE_MS,
      keepAlive: true,
    })
    // Also while nothing runs; unheard, it would end the process. The next statement then fails and says so.
    client.on('error', () => this.#discard(client))
    await client.connect()
    return client
  }

  /** A connection that may be in any state: the server rolls back what it had begun. */
  #discard(client: Client): void {
    if (this.#client === client) this.#client = undefined
    void client.end().catch(() => undefined)
  }
}

function tlsOf({ sslMode, sslRootCert, host, description }: PostgresTarget): ClientConfig['ssl'] {
  if (sslMode === 'disable') return false
  // Node compares the certificate with `host`, also where that is an address and no server name is sent.
  const ca = sslRootCert === undefined ? {} : { ca: authorities(sslRootCert, description) }
  // Without a name to look for, any certificate that the authorities signed will do.
  const anyName = sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }
  return { ...ca, ...anyName, rejectUnauthorized: sslMode !== 'require', host } as ClientConfig['ssl']
}

function authorities(path: string, sink: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const expected = 'a PEM file that this process can read, as sslRootCert'
    throw new SluiceError('SINK_PATH', { path, sink, reason: reasonOf(error), expected }, { cause: error })
  }
}
