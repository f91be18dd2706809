import type { Schema } from '../batch.ts'
import { launch } from '../engine/launch.ts'
import { DEFAULT_TRIGGER, parseTrigger, type Trigger, type TriggerSetting } from '../engine/trigger.ts'
import { SluiceError } from '../errors.ts'
import { type GivenOptions, type OptionTable, type OptionValue, parseOptions } from '../options.ts'
import { type OutputMode, parseOutputMode } from '../output-mode.ts'
import { buildPlan } from '../plan/build.ts'
import { checkOutputMode, checkShape } from '../plan/check.ts'
import type { Draft } from '../plan/draft.ts'
import { explainPlan, explainProgram } from '../plan/explain.ts'
import { incremental } from '../plan/incremental.ts'
import { isStreaming } from '../plan/plan.ts'
import { type ForeachWriter, foreachFormat } from '../sinks/foreach.ts'
import { type ForeachBatch, foreachBatchFormat } from '../sinks/foreach-batch.ts'
import type { Guarantee, SinkFormat } from '../sinks/sink.ts'
import { deadLetterSink } from './dead-letter-sink.ts'
import { StreamingQuery } from './query.ts'
import type { SessionContext } from './session-context.ts'

/** Options of the query itself; all others of `option(…)` go to the sink. */
export const QUERY_OPTIONS = {
  checkpointLocation: {
    kind: 'text',
    doc: 'directory of offsets, commits and state; without it a restart begins anew',
  },
  minBatchesToRetain: {
    kind: 'count',
    min: 1,
    default: '100',
    doc: 'batches of the checkpoint that are kept to go back to',
  },
  maxAttempts: {
    kind: 'count',
    min: 1,
    default: '1',
    doc: 'tries of one batch, the first among them, before the query stops with what went wrong; only failures that may pass count as worth another',
  },
  retryDelay: {
    kind: 'duration',
    min: 1,
    default: '1s',
    doc: 'before the second try a random wait up to this; it doubles with each further failure',
  },
  maxRetryDelay: {
    kind: 'duration',
    min: 1,
    default: '1m',
    doc: 'no wait between two tries is longer',
  },
  maxDeltasPerSnapshot: {
    kind: 'count',
    min: 1,
    max: 1000,
    default: '100',
    doc: 'files of changes that a restart reads at most beside the last snapshot of the state; a snapshot is also written once they outweigh it',
  },
  checkpointHeartbeat: {
    kind: 'duration',
    min: 1,
    max: 600_000,
    default: '10s',
    doc: 'how often the query gives a sign of life on its checkpoint; a start elsewhere waits for four that are missing',
  },
  stopMarker: {
    kind: 'text',
    doc: 'path of a file (or an `s3://` object) that stops the query after its running batch once it is there; remove it before the next start',
  },
  multipleWatermarkPolicy: {
    kind: 'text',
    default: 'min',
    oneOf: ['min', 'max'],
    doc: 'which of several watermarks is that of the query: the slowest or the fastest',
  },
  lateRowsPath: {
    kind: 'text',
    doc: 'directory (or `s3://` prefix) where Parquet files keep the rows that were dropped behind the watermark; without it they are counted',
  },
  watermarkIdleTimeout: {
    kind: 'duration',
    min: 1,
    doc: 'a stream that is read to its end and brought no row for so long does not hold back the watermark of the others; without it it does',
  },
  staticRefreshInterval: {
    kind: 'duration',
    min: 1,
    doc: 'how often files that a stream is joined with are read again; without it once, when the query starts',
  },
  watermarkMaxAhead: {
    kind: 'duration',
    doc: 'event times further than this after the time of the batch do not move the watermark; without it all do',
  },
} as const satisfies OptionTable

const GUARANTEES: Readonly<Record<Guarantee, string>> = {
  'exactly-once': 'exactly-once: a batch that comes again after a crash has one effect',
  'at-least-once':
    'at-least-once: a batch that comes again after a crash is written again, with the same batch id',
  none: 'no guarantee: a batch that comes again after a crash is shown or left out again',
}

interface Settings {
  readonly format: SinkFormat | string | undefined
  readonly outputMode: OutputMode
  readonly trigger: Trigger
  readonly queryName: string | undefined
  readonly options: GivenOptions
}

const UNSET: Settings = {
  format: undefined,
  outputMode: 'append',
  trigger: DEFAULT_TRIGGER,
  queryName: undefined,
  options: new Map(),
}

/** Says how a query is to be written, then starts it. Immutable; every call gives a new one. */
export class DataStreamWriter {
  readonly #context: SessionContext
  readonly #draft: Draft
  readonly #settings: Settings

  constructor(context: SessionContext, draft: Draft, settings: Settings = UNSET) {
    this.#context = context
    this.#draft = draft
    this.#settings = settings
    Object.freeze(this)
  }

  /**
   * `append` (default), `update` or `complete`.
   *
   * @throws OUTPUT_MODE_INVALID
   */
  outputMode(mode: OutputMode | (string & {})): DataStreamWriter {
    return this.#with({ outputMode: parseOutputMode(mode) })
  }

  /**
   * When batches run: `{ processingTime: '2 seconds' }`, `{ once: true }` or `{ availableNow: true }`.
   * Default: as soon as the last one is done.
   *
   * @throws TRIGGER_INVALID
   */
  trigger(setting: TriggerSetting): DataStreamWriter {
    return this.#with({ trigger: parseTrigger(setting) })
  }

  /** A name for progress and logs; the table of the memory sink. Unique among the running queries of a session. */
  queryName(name: string): DataStreamWriter {
    return this.#with({ queryName: name })
  }

  /** What `queryName` was given; of a script, the name after CREATE SINK. */
  get name(): string | undefined {
    return this.#settings.queryName
  }

  /** The sink by its name, such as `parquet`, or one of your own. */
  format(format: string | SinkFormat): DataStreamWriter {
    return this.#with({ format })
  }

  /** An option of the sink, or of the query: `checkpointLocation`. Names are compared without regard to case. */
  option(name: string, value: OptionValue): DataStreamWriter {
    return this.#with({ options: new Map([...this.#settings.options, [name, value]]) })
  }

  options(values: Readonly<Record<string, OptionValue>>): DataStreamWriter {
    return this.#with({ options: new Map([...this.#settings.options, ...Object.entries(values)]) })
  }

  /**
   * Starts the query into a table: of the file that the option `path` names, unless another format was chosen.
   *
   * @throws as `start`
   */
  toTable(name: string): Promise<StreamingQuery> {
    return this.#with({ format: this.#settings.format ?? 'duckdb' })
      .option('table', name)
      .start()
  }

  /**
   * Calls a function with the rows of every batch. After a crash a batch may come twice, with the same `batchId`.
   */
  foreachBatch(write: ForeachBatch): DataStreamWriter {
    return this.#with({ format: foreachBatchFormat(write, this.#context.sinks) })
  }

  /** Calls a writer with the rows of every batch, one by one. After a crash a batch may come twice, with the same `batchId`. */
  foreach(writer: ForeachWriter): DataStreamWriter {
    return this.#with({ format: foreachFormat(writer) })
  }

  /**
   * Analyses the query, opens everything it needs, and starts it. What is wrong with the query, the options, the
   * source or the checkpoint is thrown here, before anything runs.
   */
  start(): Promise<StreamingQuery> {
    return this.#context.streams.start(this.#settings.queryName, () => this.#launch())
  }

  /** The plan and the SQL of its stages; checks everything that can be checked without opening a source or sink. */
  async explain(): Promise<string> {
    return (await this.#prepare()).explanation
  }

  async #launch(): Promise<StreamingQuery> {
    const { openers, database, clock, log, sinks } = this.#context
    const { outputMode, trigger, queryName } = this.#settings
    const { format, program, settings, sinkOptions, checkpointOptions, deadLetters, explanation } =
      await this.#prepare()
    const { lateRowsPath } = settings
    const openAside = (path: string, part: string, schema: Schema, queryId: string, stop: AbortSignal) => {
      const options = new Map([['path', `${path.replace(/\/+$/, '')}/query=${queryId}/${part}`]])
      const context = { options, queryId, queryName, outputMode: 'append', schema, log, clock, stop } as const
      return sinks.get('parquet').open(context)
    }
    const execution = await launch({
      name: queryName,
      database,
      program,
      trigger,
      checkpointLocation: settings.checkpointLocation,
      checkpointOptions,
      heartbeatMs: settings.checkpointHeartbeat,
      minBatchesToRetain: settings.minBatchesToRetain,
      restarts: {
        maxAttempts: settings.maxAttempts,
        retryDelayMs: settings.retryDelay,
        maxRetryDelayMs: settings.maxRetryDelay,
      },
      maxDeltasPerSnapshot: settings.maxDeltasPerSnapshot,
      stopMarker: settings.stopMarker,
      watermarkPolicy: settings.multipleWatermarkPolicy === 'max' ? 'max' : 'min',
      watermarkIdleAfterMs: settings.watermarkIdleTimeout,
      maxAheadMs: settings.watermarkMaxAhead,
      staticRefreshMs: settings.staticRefreshInterval,
      openSource: (input) => openers.get(input)!(),
      openSink: (schema, queryId, stop, refuse) =>
        format.open({
          options: sinkOptions,
          queryId,
          queryName,
          outputMode,
          schema,
          log,
          clock,
          stop,
          ...(refuse && { refuse }),
        }),
      openDeadLetters:
        deadLetters &&
        ((schema, queryId, stop) =>
          deadLetters.format.open({
            options: deadLetters.options,
            queryId,
            queryName: queryName && `${queryName}_dead_letters`,
            outputMode: 'append',
            schema,
            log,
            clock,
            stop,
          })),
      // Queries, sources and operators apart, so that several can share a path.
      openBadRecords: (path, source, schema, queryId, stop) =>
        openAside(path, `source=${source}`, schema, queryId, stop),
      openLateRows:
        lateRowsPath === undefined
          ? undefined
          : (operator, schema, queryId, stop) =>
              openAside(lateRowsPath, `operator=${operator}`, schema, queryId, stop),
      clock,
      log,
    })
    return new StreamingQuery(execution, explanation)
  }

  async #prepare() {
    const { analysis } = this.#context
    const { outputMode, options } = this.#settings
    const format = this.#format()
    const { own, checkpoint, deadLetter, others } = splitOptions(options)
    const deadLetters = deadLetterSink(deadLetter, this.#context.sinks)
    const settings = parseOptions('the query', QUERY_OPTIONS, own)
    // Here already, so that a wrong option is found before anything is opened or written.
    parseOptions(`sink ${format.name}`, format.options, others)
    const plan = await buildPlan(this.#draft, analysis)
    if (!isStreaming(plan)) throw new SluiceError('NOT_STREAMING', {})
    checkShape(plan)
    checkOutputMode(plan, outputMode)
    if (!format.modes.includes(outputMode)) {
      throw new SluiceError('SINK_MODE', {
        sink: format.name,
        mode: outputMode,
        modes: format.modes.join(' or '),
      })
    }
    const program = await incremental(plan, outputMode, analysis, {
      badRecords: deadLetters !== undefined,
      lateRows: deadLetters !== undefined || settings.lateRowsPath !== undefined,
    })
    const explanation =
      `== Plan ==\n${await explainPlan(plan, analysis)}\n\n` +
      `== Stages, ${outputMode} mode ==\n${explainProgram(program)}\n\n` +
      `== Sink ==\n${format.name}, ${outputMode} mode, ${GUARANTEES[format.guarantee]}\n` +
      (deadLetters
        ? `\n== Dead letters ==\n${deadLetters.format.name}, ${GUARANTEES[deadLetters.format.guarantee]}\n`
        : '')
    return {
      format,
      program,
      settings,
      sinkOptions: others,
      checkpointOptions: checkpoint,
      deadLetters,
      explanation,
    }
  }

  #format(): SinkFormat {
    const { format } = this.#settings
    return typeof format === 'object' ? format : this.#context.sinks.get(format ?? '')
  }

  #with(changes: Partial<Settings>): DataStreamWriter {
    return new DataStreamWriter(this.#context, this.#draft, { ...this.#settings, ...changes })
  }
}

/** Options of the query, of the way to its checkpoint, of its dead letters, and of the sink. */
function splitOptions(options: GivenOptions) {
  const names = Object.keys(QUERY_OPTIONS).map((name) => name.toLowerCase())
  const ownerOf = (name: string): 'query' | 'checkpoint' | 'deadLetter' | 'sink' => {
    if (names.includes(name.toLowerCase())) return 'query'
    if (/^deadLetter\./i.test(name)) return 'deadLetter'
    return /^checkpoint\./i.test(name) ? 'checkpoint' : 'sink'
  }
  const of = (owner: string): GivenOptions =>
    new Map([...options].filter(([name]) => ownerOf(name) === owner))
  return { own: of('query'), checkpoint: of('checkpoint'), deadLetter: of('deadLetter'), others: of('sink') }
}
