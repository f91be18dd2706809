import type { RecordBatch } from 'apache-arrow'
import type { Schema } from '../batch.ts'
import { type Connection, type Database, literal, quoted, Relation, type Row } from '../duckdb.ts'
import type { Program } from '../plan/incremental.ts'
import type { Step } from '../plan/operators/operator.ts'
import type { PayloadStage } from '../plan/payload-stage.ts'
import { BATCH_TIME } from '../plan/rules/batch-time.ts'
import { PayloadParser } from './payload-parser.ts'

/** Rows that one operator keeps, brought in and dropped. */
export interface OperatorCounts {
  readonly operatorName: string
  readonly numRowsTotal: number
  readonly numRowsUpdated: number
  /** Rows of the batch that came too late. */
  readonly numRowsDroppedByWatermark: number
}

/** Event time of the rows of a batch, epoch milliseconds; null without rows. */
export interface EventTimeSpan {
  readonly leastMs: number | null
  readonly greatestMs: number | null
  readonly averageMs: number | null
}

/** What a batch is run under; logged, so that a replay runs under the same. */
export interface BatchSetting {
  readonly batchId: number
  readonly timeMs: number
  readonly watermarkMs: number | null
  /** The watermark of the batch before. */
  readonly lateBeforeMs: number | null
  /** Event times after it do not move the watermark. */
  readonly eventTimeLimitMs: number | null
}

const RESULT = 'result'
/** Rows from which on a state is large; with half as many the gain is nought. */
const LARGE_STATE = 1_000_000
const LATE = 'late_rows'

/**
 * Runs a program's SQL on a connection of its own, one batch at a time.
 *
 * Invariant: between `begin` and `commit` nothing that the batch did to the state is final; `rollback` takes the
 * state back to the last committed batch, whatever failed.
 */
export class Stages {
  readonly #program: Program
  readonly #connection: Connection
  /** What the variables that statements ask for were last set to; a statement each is most of a small batch. */
  readonly #variables: Map<string, string | undefined>
  /** Of the sources whose records are parsed. */
  readonly #parsers: readonly (PayloadParser | undefined)[]
  /** What each operator's state had when it was last counted: it decides how a merge is done, never what it does. */
  readonly #numRows = new Map<string, number>()
  /** Undefined when the state has changed since it was asked for. */
  #dueMs: number | null | undefined

  private constructor(program: Program, connection: Connection) {
    this.#program = program
    this.#connection = connection
    this.#parsers = program.sources.map(({ payload }) => payload && new PayloadParser(connection, payload))
    this.#variables = new Map(variablesIn(program).map((name) => [name, undefined]))
  }

  /** Creates the tables of a program, fills its state from files, and forgets what the watermark had let it forget. */
  static async prepare(
    database: Database,
    program: Program,
    watermarkMs: number | null,
    stateFiles: (operator: string) => Promise<readonly string[]>,
  ): Promise<Stages> {
    const connection = await database.connect()
    const stages = new Stages(program, connection)
    await stages.#set({ batchId: -1, timeMs: 0, watermarkMs, lateBeforeMs: null, eventTimeLimitMs: null })
    await stages.readSnapshots()
    for (const [index, { payload }] of program.sources.entries()) {
      await stages.attach(index, [])
      if (payload) await connection.run(payload.view)
    }
    for (const { prepare } of program.watermarks) await connection.run(prepare)
    for (const operator of program.operators) {
      for (const step of operator.prepare) await stages.#step(step)
      const files = await stateFiles(operator.name)
      if (files.length > 0) await connection.run(operator.load(files))
      for (const statement of operator.evict) await connection.run(statement)
    }
    return stages
  }

  /** Reads the files of static relations, the first time or again. */
  async readSnapshots(): Promise<void> {
    for (const { read } of this.#program.snapshots) await this.#connection.run(read)
  }

  async begin(setting: BatchSetting): Promise<void> {
    this.#dueMs = undefined
    await this.#set(setting)
    await this.#connection.run('BEGIN')
  }

  /** Makes the rows of source `index` the input of the batch. */
  attach(index: number, records: readonly RecordBatch[]): Promise<void> {
    const { table, input } = this.#program.sources[index]!
    const parser = this.#parsers[index]
    return parser ? parser.parse(records) : this.#connection.attach(table, input.schema, records)
  }

  /** The rows that are attached may go away after this. */
  async detach(): Promise<void> {
    for (const [index, { table, input }] of this.#program.sources.entries()) {
      const parser = this.#parsers[index]
      await (parser ? parser.letGo() : this.#connection.attach(table, input.schema, []))
    }
  }

  /** How many of the attached records do not fit the schema of source `index`, which parses them. */
  malformed(index: number): Promise<number> {
    return this.#parsers[index]!.malformed()
  }

  /** Why and where, without what the record holds. */
  async firstMalformed(index: number): Promise<{ readonly reason: string; readonly position: string }> {
    const [first] = await this.#connection.rows(this.#payload(index).firstMalformed)
    const { reason, row, ...columns } = first as Row
    const position = Object.entries(columns).flatMap(([name, value]) =>
      value === null ? [] : [`${name} ${String(value)}`],
    )
    return { reason: String(reason), position: position.join(', ') || `row ${row} of the batch` }
  }

  /** The malformed records of source `index`, which keeps them. */
  async badRecords(index: number): Promise<Relation> {
    const { table, schema, keep } = this.#payload(index).badRecords!
    await this.#connection.run(keep)
    return new Relation(this.#connection, table, schema, await this.malformed(index))
  }

  /** The rows of the batch that an operator dropped behind the watermark. */
  async lateRows(operator: string, batchId: number): Promise<Relation> {
    const { rows, schema } = this.#program.operators.find(({ name }) => name === operator)!.late!
    await this.#connection.run(`CREATE OR REPLACE TEMP TABLE ${LATE} AS ${rows(batchId)}`)
    const count = Number(await this.#connection.value(`SELECT count(*) FROM ${LATE}`))
    return new Relation(this.#connection, LATE, schema, count)
  }

  /** A temporary table made of rows, for a sink. */
  async collect(table: string, schema: Schema, selects: readonly string[]): Promise<Relation> {
    const columns = schema.map(({ name, type }) => `${quoted(name)} ${type}`).join(', ')
    await this.#connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (${columns})`)
    for (const select of selects) await this.#connection.run(`INSERT INTO ${table} ${select}`)
    const rows = Number(await this.#connection.value(`SELECT count(*) FROM ${table}`))
    return new Relation(this.#connection, table, schema, rows)
  }

  #payload(index: number): PayloadStage {
    return this.#program.sources[index]!.payload!
  }

  /** Folds the batch into the state and answers the rows to write. */
  async run(): Promise<Relation> {
    for (const { keep } of this.#program.watermarks) if (keep) await this.#connection.run(keep)
    for (const operator of this.#program.operators) {
      const isLarge = (this.#numRows.get(operator.name) ?? 0) >= LARGE_STATE
      for (const step of operator.run) await this.#step(step, isLarge)
    }
    const rows = Number(
      await this.#connection.value(`CREATE OR REPLACE TEMP TABLE ${RESULT} AS ${this.#program.emit}`),
    )
    for (const operator of this.#program.operators) {
      for (const statement of operator.evict) await this.#connection.run(statement)
    }
    return new Relation(this.#connection, RESULT, this.#program.schema, rows)
  }

  async #step(step: Step, isLarge = false): Promise<void> {
    if (typeof step === 'string') return this.#connection.run(step)
    if ('code' in step) return step.run(this.#connection)
    const statements = (isLarge && step.overLarge) || [step.returning]
    for (const statement of statements) await this.#connection.collect(statement, step.into)
  }

  /** The batch time after which an operator wants to run though no rows come, epoch milliseconds. */
  async dueMs(): Promise<number | null> {
    if (this.#dueMs !== undefined) return this.#dueMs
    this.#dueMs = null
    for (const { due } of this.#program.operators) {
      const time = due === undefined ? null : await this.#connection.value(due)
      if (time !== null) this.#dueMs = Math.min(Number(time), this.#dueMs ?? Number.POSITIVE_INFINITY)
    }
    return this.#dueMs
  }

  /** One span for each watermark of the program. */
  async eventTimes(): Promise<EventTimeSpan[]> {
    const spans: EventTimeSpan[] = []
    for (const { eventTime } of this.#program.watermarks) {
      const [row] = await this.#connection.rows(eventTime)
      const ms = (name: string) => (row?.[name] === null ? null : Number(row?.[name]))
      spans.push({ leastMs: ms('least'), greatestMs: ms('greatest'), averageMs: ms('average') })
    }
    return spans
  }

  /** Writes an operator's state, or only what this batch changed of it, to a Parquet file that does not exist yet. */
  async export(operator: string, kind: 'snapshot' | 'delta', file: string): Promise<void> {
    const { changed, snapshot } = this.#program.operators.find(({ name }) => name === operator)!
    const select = kind === 'delta' ? changed : snapshot
    await this.#connection.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`)
  }

  async counts(): Promise<OperatorCounts[]> {
    const counts: OperatorCounts[] = []
    for (const { name, counts: select, late } of this.#program.operators) {
      const [row] = await this.#connection.rows(select)
      const numRowsTotal = Number(row?.['total'])
      this.#numRows.set(name, numRowsTotal)
      counts.push({
        operatorName: name,
        numRowsTotal,
        numRowsUpdated: Number(row?.['updated']),
        numRowsDroppedByWatermark: late === undefined ? 0 : Number(await this.#connection.value(late.count)),
      })
    }
    return counts
  }

  async commit(): Promise<void> {
    await this.#connection.run('COMMIT')
  }

  /** Safe to call whether or not a batch is open. */
  async rollback(): Promise<void> {
    await this.#connection.run('ROLLBACK').catch(() => undefined)
  }

  close(): void {
    this.#connection.close()
  }

  async #set({ batchId, timeMs, watermarkMs, lateBeforeMs, eventTimeLimitMs }: BatchSetting): Promise<void> {
    const moment = (ms: number | null) =>
      ms === null ? 'NULL::TIMESTAMP' : `make_timestamp(${Math.round(ms) * 1000})`
    const variables = {
      batch_id: `${batchId}::BIGINT`,
      [BATCH_TIME]: `make_timestamptz(${Math.round(timeMs) * 1000})`,
      watermark: moment(watermarkMs),
      late_before: moment(lateBeforeMs),
      event_time_limit: eventTimeLimitMs === null ? 'NULL::DOUBLE' : `${eventTimeLimitMs}::DOUBLE`,
    }
    for (const [name, value] of Object.entries(variables)) {
      if (!this.#variables.has(name) || this.#variables.get(name) === value) continue
      await this.#connection.run(`SET VARIABLE ${name} = ${value}`)
      this.#variables.set(name, value)
    }
  }
}

/**
 * The variables that a program's statements ask for.
 *
 * They are why no statement is kept prepared: DuckDB puts a variable's value into the plan and does not look again.
 */
function variablesIn(program: Program): string[] {
  return [...JSON.stringify(program).matchAll(/getvariable\('(\w+)'\)/g)].map(([, name]) => name as string)
}
