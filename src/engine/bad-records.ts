import type { Schema } from '../batch.ts'
import { SluiceError } from '../errors.ts'
import type { Program } from '../plan/incremental.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Stages } from './stages.ts'
import { writeBatch } from './write-batch.ts'

/** Opens the sink of one source's bad records; `source` counts from 0. */
export type OpenBadRecords = (
  path: string,
  source: number,
  schema: Schema,
  queryId: string,
  stop: AbortSignal,
) => Promise<Sink>

/**
 * What becomes of records that do not fit the schema of their stream: they are counted in every batch, end the query
 * in mode FAILFAST, and are written to the stream's `badRecordsPath` before the batch is committed.
 */
export class BadRecords {
  readonly #program: Program
  readonly #stages: Stages
  readonly #sinks: ReadonlyMap<number, Sink>

  private constructor(program: Program, stages: Stages, sinks: ReadonlyMap<number, Sink>) {
    this.#program = program
    this.#stages = stages
    this.#sinks = sinks
  }

  /** Sinks are handed to `opened` one by one, so that they can be closed when a later one fails. */
  static async open(
    program: Program,
    stages: Stages,
    openSink: (path: string, source: number, schema: Schema) => Promise<Sink>,
    opened: (sink: Sink) => void,
  ): Promise<BadRecords> {
    const sinks = new Map<number, Sink>()
    for (const [index, { payload }] of program.sources.entries()) {
      const { path, schema } = payload?.badRecords ?? {}
      if (path === undefined || schema === undefined) continue
      const sink = await openSink(path, index, schema)
      opened(sink)
      sinks.set(index, sink)
    }
    return new BadRecords(program, stages, sinks)
  }

  /**
   * Malformed records of the batch that is attached, for each source; undefined where records are not parsed.
   *
   * @throws PAYLOAD_MALFORMED in mode FAILFAST
   */
  async count(batchId: number): Promise<readonly (number | undefined)[]> {
    const counts: (number | undefined)[] = []
    for (const [index, { payload, input }] of this.#program.sources.entries()) {
      const count = payload && (await this.#stages.malformed(index))
      if (count && payload.mode === 'FAILFAST') {
        const { reason, position } = await this.#stages.firstMalformed(index)
        const source = input.description
        throw new SluiceError('PAYLOAD_MALFORMED', { source, batch: batchId, count, position, reason })
      }
      counts.push(count)
    }
    return counts
  }

  /** Writes what `count` counted to where it is asked for; with the same batch id again, it has no further effect. */
  async write(batchId: number, counts: readonly (number | undefined)[]): Promise<void> {
    for (const [index, sink] of this.#sinks) {
      if (!counts[index]) continue
      await writeBatch(sink, batchId, await this.#stages.badRecords(index))
    }
  }
}
