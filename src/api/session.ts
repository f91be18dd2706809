import { type Clock, systemClock } from '../clock.ts'
import { Database } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { defaultLogger, type Logger } from '../log.ts'
import { didYouMean } from '../options.ts'
import { Analysis } from '../plan/analysis.ts'
import { BATCH_TIME } from '../plan/rules/batch-time.ts'
import { TEXT_OF_MACRO } from '../plan/rules/blob-as-text.ts'
import { WINDOW_MACROS } from '../plan/rules/event-time-windows.ts'
import { SCHEMA_OF_JSON_MACRO } from '../plan/rules/from-json.ts'
import { sinkFormats } from '../sinks/index.ts'
import type { SinkFormat } from '../sinks/sink.ts'
import { sourceFormats } from '../sources/index.ts'
import type { SourceFormat } from '../sources/source.ts'
import { DataReader } from './data-reader.ts'
import { DataFrame } from './dataframe.ts'
import { type DeadLetterOptions, readDeadLetters } from './dead-letters.ts'
import type { StreamingQuery } from './query.ts'
import { DataStreamReader } from './reader.ts'
import { readScript } from './script.ts'
import { draftOf, type SessionContext } from './session-context.ts'
import { StreamingQueries } from './streaming-queries.ts'
import { UdfRegistration } from './udf.ts'
import type { DataStreamWriter } from './writer.ts'

export interface SessionOptions {
  /** Any pino logger. Default: JSON lines on stderr, level from the environment variable SLUICE_LOG, else `warn`. */
  readonly log?: Logger
  /** Time and chance; tests hand in their own. */
  readonly clock?: Clock
}

/** The way in: one embedded DuckDB, its tables and views, and the queries that run on it. */
export class Session {
  readonly #context: SessionContext

  private constructor(context: SessionContext) {
    this.#context = context
    Object.freeze(this)
  }

  static async create(options: SessionOptions = {}): Promise<Session> {
    const database = await Database.open()
    const connection = await database.connect()
    for (const macro of [TEXT_OF_MACRO, SCHEMA_OF_JSON_MACRO, ...WINDOW_MACROS]) await connection.run(macro)
    await connection.run(`SET VARIABLE ${BATCH_TIME} = now()`)
    return new Session({
      database,
      connection,
      analysis: new Analysis(connection),
      clock: options.clock ?? systemClock,
      log: options.log ?? defaultLogger(),
      streams: new StreamingQueries(),
      sources: sourceFormats(),
      sinks: sinkFormats(),
      views: new Map(),
      openers: new WeakMap(),
    })
  }

  /** Starts the description of a stream: `session.readStream.format('kinesis').option(…).load()`. */
  get readStream(): DataStreamReader {
    return new DataStreamReader(this.#context)
  }

  /**
   * What queries could do nothing with, as a stream: the files that a sink of `deadLetter.format` parquet or json wrote.
   * Write it to a stream, or query it.
   */
  deadLetters(path: string, options: DeadLetterOptions = {}): DataFrame {
    return readDeadLetters(this.#context, path, options)
  }

  /** Registers functions in TypeScript: `session.udf.register(name, fn, { arguments: […], returns: … })`. */
  get udf(): UdfRegistration {
    return new UdfRegistration(this.#context.database.functions)
  }

  /** Reads files once, as they are now: `await session.read.parquet('/data/clicks')`. */
  get read(): DataReader {
    return new DataReader(this.#context)
  }

  /** The queries of this session. */
  get streams(): StreamingQueries {
    return this.#context.streams
  }

  /**
   * Makes a source of your own known to `.format(name)` and `CREATE STREAM … USING name` in this session, in any case.
   *
   * @throws FORMAT_NAME for a name that a source has already
   */
  registerSource(name: string, source: Omit<SourceFormat, 'name'>): void {
    this.#context.sources.add({
      name,
      ...(source.takesColumns && { takesColumns: true }),
      schema: (context) => source.schema(context),
      describe: (context) => source.describe(context),
      open: (context) => source.open(context),
    })
  }

  /**
   * Makes a sink of your own known to `.format(name)` and `CREATE SINK … USING name` in this session, in any case.
   *
   * @throws FORMAT_NAME for a name that a sink has already
   */
  registerSink(name: string, sink: Omit<SinkFormat, 'name'>): void {
    const { modes, guarantee, options } = sink
    this.#context.sinks.add({ name, modes, guarantee, options, open: (context) => sink.open(context) })
  }

  /**
   * One SELECT in DuckDB SQL over temporary views, streams and tables of this session. Analysed when the DataFrame
   * is first used.
   */
  sql(text: string): DataFrame {
    return new DataFrame(this.#context, draftOf(text, this.#context.views))
  }

  /**
   * A view of this session as a DataFrame.
   *
   * @throws VIEW_UNKNOWN
   */
  table(name: string): DataFrame {
    const view = this.#context.views.get(name.toLowerCase())
    if (view) return new DataFrame(this.#context, view)
    throw new SluiceError('VIEW_UNKNOWN', { name, hint: didYouMean(name, [...this.#context.views.keys()]) })
  }

  /**
   * Runs a whole script in order: CREATE STREAM, CREATE SINK, CREATE VIEW, and any other statement of DuckDB.
   * When a sink cannot start, those started before it are stopped again.
   *
   * @returns the queries that its sinks started
   */
  async run(script: string): Promise<StreamingQuery[]> {
    const started: StreamingQuery[] = []
    try {
      for (const writer of await this.prepare(script)) started.push(await writer.start())
    } catch (error) {
      await Promise.all(started.map((query) => query.stop()))
      throw error
    }
    return started
  }

  /** Like `run`, but leaves the sinks to be started or explained: one writer for each. */
  prepare(script: string): Promise<DataStreamWriter[]> {
    return readScript(script, this.#context)
  }

  /** Stops all queries, each after its running batch, and frees the database. */
  async close(): Promise<void> {
    await this.#context.streams.stopAll()
    this.#context.connection.close()
    this.#context.database.close()
  }
}
