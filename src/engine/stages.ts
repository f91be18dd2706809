import type { RecordBatch } from 'apache-arrow'
import { type Connection, type Database, literal, Relation } from '../duckdb.ts'
import type { Program } from '../plan/incremental.ts'
import { BATCH_TIME } from '../plan/rules/batch-time.ts'

/** Rows that one operator keeps. */
export interface OperatorCounts {
  readonly operatorName: string
  readonly numRowsTotal: number
  readonly numRowsUpdated: number
}

const RESULT = 'result'

/**
 * Runs a program's SQL on a connection of its own, one batch at a time.
 *
 * Invariant: between `begin` and `commit` nothing that the batch did to the state is final; `rollback` takes the
 * state back to the last committed batch, whatever failed.
 */
export class Stages {
  readonly #program: Program
  readonly #connection: Connection

  private constructor(program: Program, connection: Connection) {
    this.#program = program
    this.#connection = connection
  }

  /** Creates the tables of a program and fills its state from files, oldest first for every operator. */
  static async prepare(
    database: Database,
    program: Program,
    stateFiles: (operator: string) => Promise<readonly string[]>,
  ): Promise<Stages> {
    const connection = await database.connect()
    const stages = new Stages(program, connection)
    for (const { table, input } of program.sources) await connection.attach(table, input.schema, [])
    await stages.#setBatchTime(0)
    for (const operator of program.operators) {
      for (const statement of operator.create) await connection.run(statement)
      const files = await stateFiles(operator.name)
      if (files.length > 0) await connection.run(operator.load(files))
    }
    return stages
  }

  async begin(batchTimeMs: number): Promise<void> {
    await this.#setBatchTime(batchTimeMs)
    await this.#connection.run('BEGIN')
  }

  /** Makes the rows of source `index` the input of the batch. */
  async attach(index: number, records: readonly RecordBatch[]): Promise<void> {
    const { table, input } = this.#program.sources[index]!
    await this.#connection.attach(table, input.schema, records)
  }

  /** Folds the batch into the state and answers the rows to write. */
  async run(): Promise<Relation> {
    for (const operator of this.#program.operators) {
      await this.#connection.run(operator.delta)
      await this.#connection.run(operator.merge)
    }
    await this.#connection.run(`CREATE OR REPLACE TEMP TABLE ${RESULT} AS ${this.#program.emit}`)
    const rows = Number(await this.#connection.value(`SELECT count(*) FROM ${RESULT}`))
    return new Relation(this.#connection, RESULT, this.#program.schema, rows)
  }

  /** Writes an operator's state, or only what this batch changed of it, to a Parquet file that does not exist yet. */
  async export(operator: string, kind: 'snapshot' | 'delta', file: string): Promise<void> {
    const { changed, snapshot } = this.#program.operators.find(({ name }) => name === operator)!
    const select = kind === 'delta' ? changed : snapshot
    await this.#connection.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`)
  }

  async counts(): Promise<OperatorCounts[]> {
    const counts: OperatorCounts[] = []
    for (const operator of this.#program.operators) {
      const [row] = await this.#connection.rows(operator.counts)
      counts.push({
        operatorName: operator.name,
        numRowsTotal: Number(row?.['total']),
        numRowsUpdated: Number(row?.['updated']),
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

  async #setBatchTime(ms: number): Promise<void> {
    await this.#connection.run(`SET VARIABLE ${BATCH_TIME} = make_timestamptz(${Math.round(ms) * 1000})`)
  }
}
