import { type Clock, systemClock } from '../clock.ts'
import { type Connection, Database, Relation } from '../duckdb.ts'
import { silentLogger } from '../log.ts'
import { type OptionValue, parseOptions } from '../options.ts'
import type { OutputMode } from '../output-mode.ts'
import type { Sink, SinkFormat } from '../sinks/sink.ts'

/** A database of its own, and relations out of SQL. */
export class Bench {
  readonly connection: Connection
  readonly clock: Clock
  /** Aborted, it is as if the queries of the sinks were asked to stop. */
  readonly stopping = new AbortController()
  readonly #database: Database

  private constructor(database: Database, connection: Connection, clock: Clock) {
    this.clock = clock
    this.#database = database
    this.connection = connection
  }

  static async open(clock = systemClock): Promise<Bench> {
    const database = await Database.open()
    return new Bench(database, await database.connect(), clock)
  }

  async relation(sql: string): Promise<Relation> {
    await this.connection.run(`CREATE OR REPLACE TEMP TABLE result AS ${sql}`)
    const schema = await this.connection.describe('FROM temp.main.result')
    const rows = Number(await this.connection.value('SELECT count(*) FROM temp.main.result'))
    return new Relation(this.connection, 'temp.main.result', schema, rows)
  }

  /** @throws as the start of a query does, for options that the sink does not know */
  async open(
    format: SinkFormat,
    sql: string,
    mode: OutputMode,
    options = {},
    queryId = 'query 1',
    queryName = 'out',
  ): Promise<Sink> {
    const given = new Map<string, OptionValue>(Object.entries(options))
    parseOptions(`sink ${format.name}`, format.options, given)
    return format.open({
      options: given,
      queryId,
      queryName,
      outputMode: mode,
      schema: await this.connection.describe(sql),
      log: silentLogger,
      clock: this.clock,
      stop: this.stopping.signal,
    })
  }

  /** One batch, as the engine writes it: in a transaction. */
  async write(sink: Sink, batchId: number, sql: string): Promise<void> {
    await this.transaction(async () => sink.write(batchId, await this.relation(sql)))
  }

  async transaction(steps: () => Promise<void>): Promise<void> {
    await this.connection.run('BEGIN')
    try {
      await steps()
      await this.connection.run('COMMIT')
    } catch (error) {
      await this.connection.run('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.connection.close()
    this.#database.close()
  }
}
