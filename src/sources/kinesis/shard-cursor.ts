import type { IteratorStart, RecordsPage } from './kinesis-port.ts'
import {
  compareSequence,
  describePosition,
  isSequence,
  iteratorStart,
  type OpenPosition,
  type SequencePosition,
} from './position.ts'
import { countWhile, NO_ROWS, RowBlock } from './row-block.ts'
import { isAfter, type Row, rowsOf } from './rows.ts'
import type { WalkContext } from './walk-context.ts'

/** Iterators live for five minutes; this much earlier a new one is asked for instead. */
const ITERATOR_LIFE_MS = 290_000
/** So many empty answers at the tip instead of a record that must be there mean that it is gone. */
const MISSES = 3

/**
 * Where reading stands in a shard, in the service's terms: an iterator, and the last record that came through it.
 *
 * Retention is the danger here: a position it has passed over is not reliably refused. So reading resumes AT the record
 * of the checkpoint, which must come first and is then cut off; and the same is done again whenever the last record is
 * so old that the next one may have been trimmed in the meantime.
 */
export class ShardCursor {
  readonly #shardId: string
  readonly #context: WalkContext
  readonly #counted: boolean
  readonly #from: OpenPosition
  /** After the last stored record that came; rows up to here are never let in again. */
  #cut: SequencePosition | undefined
  /** The record at this position must still exist, or what followed it may be gone as well. */
  #wanted: SequencePosition | undefined
  #misses = 0
  #ageChecked: boolean
  #iterator: { readonly token: string; readonly givenAt: number } | undefined
  /** The position is trimmed: whatever is left comes after it. */
  #atHorizon = false
  /** Server time at which the next record was not trimmed yet. */
  #freshMs: number | undefined

  /** @param counted rows are re-read and will be counted, so that nothing here has to be proven */
  constructor(shardId: string, from: OpenPosition, counted: boolean, context: WalkContext) {
    this.#shardId = shardId
    this.#context = context
    this.#counted = counted
    this.#ageChecked = counted
    this.#from = from
    if (isSequence(from)) {
      this.#cut = from
      this.#freshMs = from.arrivedMs
      if (!counted && !from.inclusive) this.#wanted = from
    }
  }

  get hasIterator(): boolean {
    return this.#iterator !== undefined
  }

  /** Whether the next page is here already; see `KinesisPort`. */
  get isAtHand(): boolean {
    return this.#iterator !== undefined && this.#context.port.isAtHand?.(this.#iterator.token) === true
  }

  /** Still looking for the record at the position. */
  get unproven(): boolean {
    return this.#wanted !== undefined
  }

  /** For messages about what is lost. */
  get range(): string {
    return `${describePosition(this.#cut ?? this.#from)} to the trim horizon`
  }

  /** An iterator to read with, the live one or a new one. @throws KINESIS_DATA_LOSS for a position that is too old */
  async iterator(): Promise<string> {
    await this.#refuseAged()
    const { clock, port, closed, limiter } = this.#context
    const live = this.#iterator
    if (live && clock.monotonic() - live.givenAt < ITERATOR_LIFE_MS) return live.token
    limiter.shard(this.#shardId).iteratorCalled()
    const token = await port.getShardIterator(this.#shardId, this.#start(), closed)
    this.#iterator = { token, givenAt: clock.monotonic() }
    return token
  }

  dropIterator(): void {
    this.#iterator = undefined
  }

  /** Whether a page continues where the last one ended. @throws KINESIS_DATA_LOSS when records are missing before it */
  async proves(page: RecordsPage): Promise<boolean> {
    if (this.#wanted) return await this.#finds(this.#wanted, page)
    if (!this.#counted || !this.#isStuck(page)) return true
    this.#startAtHorizon()
    return false
  }

  /** The rows of a page that were not let in before; from here on reading goes on behind it. */
  accept(page: RecordsPage): RowBlock {
    const block = isPartial(this.#cut) ? undefined : page.records.block
    const rows = block ? this.#admitBlock(block) : this.#admit(page)
    if (page.records.length === 0) this.#freshMs = page.serverTime.earliestMs
    this.#atHorizon = false
    this.#follow(page)
    return rows
  }

  /** Of plain records in rising order, all behind the cut. */
  #admitBlock(block: RowBlock): RowBlock {
    const cut = this.#cut?.sequenceNumber
    const seen =
      cut === undefined
        ? 0
        : countWhile(block.length, (index) => compareSequence(block.sequenceNumber(index), cut) <= 0)
    if (seen === block.length) return NO_ROWS
    const { sequenceNumber, arrivedMs } = block.row(block.length - 1)
    this.#cut = { sequenceNumber }
    if (arrivedMs !== undefined) this.#freshMs = arrivedMs
    return block.slice(seen)
  }

  #admit(page: RecordsPage): RowBlock {
    const rows: Row[] = []
    const hashRange = this.#context.hashRangeOf(this.#shardId)
    for (const record of page.records) {
      const cut = this.#cut
      const order = cut ? compareSequence(record.sequenceNumber, cut.sequenceNumber) : 1
      if (order < 0 || (order === 0 && !isPartial(cut))) continue
      for (const row of rowsOf(record, hashRange, this.#context.counters)) {
        if (!cut || order !== 0 || isAfter(row, cut)) rows.push(row)
      }
      this.#cut = { sequenceNumber: record.sequenceNumber }
      if (record.arrivedMs !== undefined) this.#freshMs = record.arrivedMs
    }
    return RowBlock.of(rows)
  }

  /** The service refused the position, or did not find it. False when there is no record to have lost. */
  async refused(reason: string): Promise<boolean> {
    const wanted = this.#wanted ?? this.#cut
    if (!wanted || this.#atHorizon) return false
    await this.#trimmed(wanted, reason)
    return true
  }

  #start(): IteratorStart {
    if (this.#atHorizon) return { type: 'TRIM_HORIZON' }
    if (this.#wanted) return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: this.#wanted.sequenceNumber }
    return iteratorStart(this.#cut ?? this.#from)
  }

  #follow(page: RecordsPage): void {
    const token = page.nextIterator
    this.#iterator = token === undefined ? undefined : { token, givenAt: this.#context.clock.monotonic() }
  }

  async #refuseAged(): Promise<void> {
    const { watch, losses, closed } = this.#context
    if (this.#cut) {
      const aged = this.#freshMs !== undefined && watch.mayBeTrimmed(this.#freshMs)
      if (!aged || this.#counted || this.#wanted || isPartial(this.#cut)) return
      this.#wanted = this.#cut
      this.#iterator = undefined
      return
    }
    if (this.#ageChecked) return
    // No record to look for: only the age of the position says whether something may have been missed.
    const since = this.#from.seenMs ?? ('timestampMs' in this.#from ? this.#from.timestampMs : undefined)
    if (since !== undefined && watch.mayBeTrimmed(since)) {
      await watch.describe(closed)
      const reason = 'it was not read for longer than the retention of the stream'
      if (watch.mayBeTrimmed(since)) losses.range(this.#shardId, reason, this.range)
    }
    this.#ageChecked = true
  }

  async #finds(wanted: SequencePosition, page: RecordsPage): Promise<boolean> {
    if (page.records.has(wanted.sequenceNumber)) {
      this.#wanted = undefined
      this.#misses = 0
      this.#freshMs = page.serverTime.earliestMs
      return true
    }
    const empty = page.records.length === 0
    const atEdge = page.millisBehindLatest === 0 || this.#isStuck(page)
    if (empty && page.nextIterator !== undefined && (!atEdge || ++this.#misses < MISSES)) {
      // Empty answers on the way to a record are normal.
      this.#follow(page)
      return false
    }
    await this.#trimmed(wanted, 'the record at the position is not there any more')
    return !empty
  }

  /** Goes on from the horizon, if nothing was lost or the loss is tolerated. */
  async #trimmed(wanted: SequencePosition, reason: string): Promise<void> {
    const { watch, losses, closed } = this.#context
    // With the retention of today.
    await watch.describe(closed)
    const { sequenceNumber, arrivedMs, seenMs } = wanted
    const agedOut = arrivedMs !== undefined && watch.mayBeTrimmed(arrivedMs)
    const readSince = seenMs !== undefined && !watch.mayBeTrimmed(seenMs)
    if (!this.#counted && !(agedOut && readSince)) losses.range(this.#shardId, reason, this.range)
    this.#cut = { sequenceNumber }
    this.#wanted = undefined
    this.#misses = 0
    this.#startAtHorizon()
  }

  #startAtHorizon(): void {
    this.#iterator = undefined
    this.#atHorizon = true
  }

  /** Readers at a trimmed position have been seen to get empty answers for ever, always as far behind as can be. */
  #isStuck(page: RecordsPage): boolean {
    const { summary } = this.#context.watch
    const behindAll = summary !== undefined && page.millisBehindLatest >= summary.retentionMs * 0.99
    return behindAll && page.records.length === 0 && this.#cut !== undefined && !this.#atHorizon
  }
}

/** Some of the record at this position is still to come. */
function isPartial(position: SequencePosition | undefined): boolean {
  return position?.subSequenceNumber !== undefined || position?.inclusive === true
}
