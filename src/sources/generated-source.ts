import type { RecordBatch } from 'apache-arrow'
import type { Batch, Json, Position, Range, Schema } from '../batch.ts'
import { SluiceError } from '../errors.ts'
import { recordDigest } from './record-digest.ts'
import type { Read, Source } from './source.ts'

/** What else than their numbers decides the rows of a generated stream: pinned once, kept in every position. */
export type Origin = Readonly<Record<string, string | number | boolean>>

/**
 * Makes rows out of numbers 0, 1, 2 …
 *
 * Invariant: `records(origin, a, c)` holds the rows of `records(origin, a, b)` and then those of
 * `records(origin, b, c)`, in any process and at any time.
 */
export interface RowGenerator {
  readonly description: string
  readonly schema: Schema
  /** Called once in the life of a query. */
  origin(): Origin
  /** Why a query that began with `origin` cannot go on here; undefined when it can. */
  refusal(origin: Origin): string | undefined
  /** The first number that is not there yet, for a reader who stands at `next`; Infinity when all are there. */
  available(origin: Origin, next: number): number
  /** Where a batch from `next` ends, at `available` at the latest; `next` itself when no row lies in between. */
  batchEnd(next: number, available: number): number
  /** The rows of the numbers from `start` up to, but not including, `end`. */
  records(origin: Origin, start: number, end: number): RecordBatch
}

/*
 * The position of a generated source: { "version": 1, "origin": { … }, "next": 20000 }, where `next` is the number
 * that the next batch starts with.
 */
interface Place {
  readonly origin: Origin
  readonly next: number
}

/**
 * A stream that is computed and not kept: every range can be read again, for ever and anywhere.
 *
 * What `availableNow` stands for is what is there when it is asked; of a stream that never ends and knows no pace,
 * that is one batch.
 */
export class GeneratedSource implements Source {
  readonly description: string
  readonly schema: Schema
  readonly #rows: RowGenerator
  #place: Place | undefined
  #pinned = Number.POSITIVE_INFINITY

  constructor(rows: RowGenerator) {
    this.description = rows.description
    this.schema = rows.schema
    this.#rows = rows
  }

  async initial(): Promise<Position> {
    this.#place = { origin: this.#rows.origin(), next: 0 }
    return positionOf(this.#place)
  }

  async resume(position: Position): Promise<void> {
    this.#place = this.#parse(position)
  }

  async read(from: Position, signal: AbortSignal): Promise<Read> {
    const { origin, next } = this.#parse(from)
    this.#place = { origin, next }
    if (signal.aborted) return { drained: false }
    const available = Math.min(this.#rows.available(origin, next), this.#pinned)
    const end = this.#rows.batchEnd(next, available)
    if (end <= next) return { drained: true }
    const batch = this.#batch({ start: from, end: positionOf({ origin, next: end }) }, origin, next, end)
    return { batch, drained: end >= available }
  }

  async reread(range: Range): Promise<Batch> {
    const start = this.#parse(range.start)
    const end = this.#parse(range.end)
    return this.#batch(range, end.origin, start.next, end.next)
  }

  async pinEnd(): Promise<void> {
    const { origin, next } = this.#place ?? { origin: this.#rows.origin(), next: 0 }
    const available = this.#rows.available(origin, next)
    this.#pinned = Number.isFinite(available) ? available : this.#rows.batchEnd(next, available)
  }

  metrics(): Readonly<Record<string, Json>> {
    return { next: this.#place?.next ?? 0 }
  }

  async close(): Promise<void> {}

  #batch(range: Range, origin: Origin, start: number, end: number): Batch {
    const records = this.#rows.records(origin, start, end)
    return { range, rows: records.numRows, records: [records], digest: recordDigest(records) }
  }

  /** @throws GENERATED_POSITION */
  #parse(position: Position): Place {
    const { version, origin, next } = (position ?? {}) as { readonly [key: string]: Json }
    if (version !== 1) return this.#refuse('it is no position of a generated stream')
    if (typeof next !== 'number' || !Number.isSafeInteger(next) || next < 0)
      return this.#refuse('it has no number')
    if (typeof origin !== 'object' || origin === null)
      return this.#refuse('it does not say how its rows were made')
    const reason = this.#rows.refusal(origin as Origin)
    return reason === undefined ? { origin: origin as Origin, next } : this.#refuse(reason)
  }

  #refuse(reason: string): never {
    throw new SluiceError('GENERATED_POSITION', { source: this.description, reason })
  }
}

/** `seed was 1 and is 2`, for the first entry that differs; undefined when none does. */
export function firstDifference(before: Origin, now: Origin): string | undefined {
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[name], now[name]].map((value) => value ?? 'the default')
    if (was !== is) return `${name} was ${was} and is ${is}`
  }
  return undefined
}

function positionOf({ origin, next }: Place): Position {
  return { version: 1, origin, next }
}
