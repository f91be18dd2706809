import type { Clock } from '../../clock.ts'
import { hasCode, reasonOf, SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { Backoff } from './backoff.ts'
import type { Counters } from './counters.ts'
import type { HashRange, IteratorStart, KinesisPort, RecordsPage, Shard } from './kinesis-port.ts'
import type { StreamLimiter } from './limiter.ts'
import type { Losses } from './losses.ts'
import type { RetryLimits, ShardRate } from './options.ts'
import {
  compareSequence,
  describePosition,
  isSequence,
  iteratorStart,
  type OpenPosition,
  type SequencePosition,
} from './position.ts'
import { isAfter, positionAfter, type Row, rowsOf } from './rows.ts'
import type { ServerClock } from './server-clock.ts'
import type { StreamWatch } from './stream-watch.ts'

/** What all walks of a source have in common. */
export interface WalkContext {
  readonly port: KinesisPort
  readonly clock: Clock
  readonly serverClock: ServerClock
  readonly watch: StreamWatch
  readonly losses: Losses
  readonly counters: Counters
  readonly log: Logger
  readonly limiter: StreamLimiter
  readonly rate: ShardRate
  readonly retry: RetryLimits
  readonly recordsPerRead: number
  /** Of the whole source; requests under way are not cut off at the end of a batch. */
  readonly closed: AbortSignal
  /** Undefined when records are placed without regard to their keys, or the shard is unknown. */
  hashRangeOf(shardId: string): HashRange | undefined
  /** Looks at the list of shards: is this one closed, and is it there at all? */
  look(shardId: string): Promise<'open' | 'closed' | 'gone'>
  /** Child shards that the end of a shard named. */
  discovered(children: readonly Shard[]): void
}

/**
 * What is known about the position a walk starts from: `fresh` was made a moment ago; `suspect` comes from a checkpoint,
 * so retention may have passed over it; `counted` is re-read, and its rows will be counted by the caller.
 */
export type Trust = 'fresh' | 'suspect' | 'counted'

/** Iterators live for five minutes; this much earlier a new one is asked for instead. */
const ITERATOR_LIFE_MS = 290_000
/** Ends that name no child are believed after so many equal answers, if the list of shards agrees. */
const END_SIGHTINGS = 3
/** So many empty answers at the tip instead of a record that must be there mean that it is gone. */
const MISSES = 3
const FIRST_PAGE_BYTES = 256 * 1024

/**
 * One shard, walked from a position towards its tip. It outlives batches: the iterator stays alive between them, and
 * what was fetched beyond a batch's limits waits here for the next one.
 *
 * Invariants: rows come each once, in the order of the shard, starting just after the position it was made with;
 * `position` is just after the last row that was taken; an end is believed only when children are named, or when the
 * list of shards confirms it; no more than one request is under way, and none while rows are waiting.
 */
export class ShardWalk {
  readonly shardId: string
  readonly #context: WalkContext
  readonly #backoff: Backoff
  readonly #trust: Trust
  #position: OpenPosition
  /** After the last stored record that was fetched; rows up to here are never let in again. */
  #cut: SequencePosition | undefined
  /** The record at this position must still exist, or what followed it may be gone as well. */
  #verify: SequencePosition | undefined
  #misses = 0
  #checkAge: boolean
  #iterator: { readonly token: string; readonly givenAt: number } | undefined
  #restart: IteratorStart | undefined
  #rows: readonly Row[] = []
  #next = 0
  #pageBytes = FIRST_PAGE_BYTES
  #endSightings = 0
  #over = false
  #vanished = false
  #lastAnswer:
    | { readonly askedAt: number; readonly behindMs: number; readonly full: boolean; readonly empty: boolean }
    | undefined
  /** Server time at which the next unread record cannot have been trimmed yet. */
  #freshMs: number | undefined
  /** Server time up to which nothing lies after the last fetched record. */
  #seenMs: number | undefined
  #pending: Promise<void> | undefined

  constructor(shardId: string, position: OpenPosition, trust: Trust, context: WalkContext) {
    this.shardId = shardId
    this.#context = context
    this.#position = position
    this.#backoff = new Backoff(context.clock, context.retry)
    this.#trust = trust
    this.#checkAge = trust === 'suspect'
    if (isSequence(position)) {
      this.#cut = position
      if (trust === 'suspect' && !position.inclusive) this.#verify = position
      this.#freshMs = position.arrivedMs
    }
  }

  get position(): OpenPosition {
    return this.#position
  }

  /** Read to its end, and every row taken. */
  get ended(): boolean {
    return this.#over && !this.hasRows
  }

  /** Ended because the service does not know the shard any more. */
  get vanished(): boolean {
    return this.#vanished
  }

  get hasRows(): boolean {
    return this.#next < this.#rows.length
  }

  get stepping(): boolean {
    return this.#pending !== undefined
  }

  /** Bytes that the next answer is likely to bring. */
  get expectedBytes(): number {
    return this.#pageBytes
  }

  /** By the last answer; undefined before the first. */
  get millisBehindLatest(): number | undefined {
    return this.#lastAnswer?.behindMs
  }

  /** The last answer was empty, and there is more: a sparse stretch, to be crossed however long it is. */
  get crossingGap(): boolean {
    const last = this.#lastAnswer
    return (
      !this.#over && last !== undefined && last.empty && last.behindMs > 0 && this.#backoff.failures === 0
    )
  }

  get failing(): boolean {
    return this.#backoff.failures > 0
  }

  /** How long the next request has to wait, for the limits of the shard or after a failure. */
  get waitMs(): number {
    const limiter = this.#context.limiter.shard(this.shardId)
    const open = this.#iterator === undefined ? limiter.iteratorWaitMs(this.#context.rate) : 0
    return Math.max(this.#backoff.waitMs, limiter.waitMs(this.#context.rate), open)
  }

  /**
   * Whether everything that had arrived by `since` (monotonic) was fetched: by an answer to a question asked since
   * then that was at the tip, or behind it by less than the time that has passed since.
   */
  caughtUpSince(since: number): boolean {
    const last = this.#lastAnswer
    if (this.#over) return true
    // A full page says nothing about what follows it, whatever distance from the tip it claims.
    if (!last || last.full || this.failing || this.#verify) return false
    return last.askedAt >= since && (last.behindMs === 0 || last.behindMs <= last.askedAt - since)
  }

  /** At the tip by its last answer, however old. */
  get atTip(): boolean {
    return (
      this.#over ||
      (this.#lastAnswer !== undefined &&
        this.#lastAnswer.behindMs === 0 &&
        !this.#lastAnswer.full &&
        !this.hasRows)
    )
  }

  peek(): Row | undefined {
    return this.#rows[this.#next]
  }

  take(): Row | undefined {
    const row = this.#rows[this.#next]
    if (!row) return undefined
    this.#next++
    this.#position = positionAfter(row)
    if (!this.hasRows) this.#rows = []
    return row
  }

  /** Notes in the position how far the shard is known to hold nothing more. Called when a batch is cut. */
  markSeen(): void {
    const seenMs = this.#seenMs
    if (this.hasRows || seenMs === undefined) return
    this.#position = { ...this.#position, seenMs: Math.max(this.#position.seenMs ?? 0, seenMs) }
  }

  /**
   * One request's worth of progress. Failures that may pass are counted and set `waitMs`.
   *
   * @throws KINESIS_RETRIES_EXHAUSTED, KINESIS_DATA_LOSS, KINESIS_STREAM_NOT_FOUND, KINESIS_STREAM_REPLACED, AWS_…
   */
  async step(): Promise<void> {
    if (this.#over || this.hasRows) return
    this.#pending ??= this.#request().finally(() => {
      this.#pending = undefined
    })
    await this.#pending
  }

  async #request(): Promise<void> {
    const limiter = this.#context.limiter.shard(this.shardId)
    // Before the iterator is asked for, so that another query does not slip in between.
    limiter.called()
    try {
      await this.#refuseAged()
      const iterator = await this.#openIterator()
      limiter.called()
      const askedAt = this.#context.clock.monotonic()
      const { port, closed, recordsPerRead, counters } = this.#context
      counters.reads++
      const page = await port.getRecords(this.shardId, iterator, recordsPerRead, closed)
      await this.#accept(page, askedAt)
    } catch (error) {
      if (this.#context.closed.aborted) return
      // Finding out what an error means asks the service again, which may fail in its turn.
      await this.#recover(error).catch((again: unknown) => this.#retry(again))
    }
  }

  async #openIterator(): Promise<string> {
    const { clock, port, closed } = this.#context
    if (this.#iterator && clock.monotonic() - this.#iterator.givenAt < ITERATOR_LIFE_MS)
      return this.#iterator.token
    this.#context.limiter.shard(this.shardId).iteratorCalled()
    const token = await port.getShardIterator(this.shardId, this.#start(), closed)
    this.#iterator = { token, givenAt: clock.monotonic() }
    return token
  }

  #start(): IteratorStart {
    if (this.#restart) return this.#restart
    if (this.#verify) return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: this.#verify.sequenceNumber }
    return iteratorStart(this.#cut ?? this.#position)
  }

  async #accept(page: RecordsPage, askedAt: number): Promise<void> {
    const { counters, limiter, rate, serverClock, recordsPerRead, clock } = this.#context
    serverClock.hear(page.serverTime)
    const bytes = page.records.reduce(
      (sum, record) => sum + record.data.length + (record.partitionKey?.length ?? 0),
      0,
    )
    limiter.shard(this.shardId).answered(bytes, rate)
    if (page.nextIterator === undefined && !(await this.#believeEnd(page))) return
    if (this.#verify && !(await this.#verified(this.#verify, page))) return
    if (this.#trust === 'counted' && this.#isStuck(page)) return this.#fromHorizon()
    this.#backoff.succeeded()
    this.#restart = undefined
    const rows = this.#admit(page)
    counters.records += page.records.length
    counters.bytes += bytes
    this.#rows = rows
    this.#next = 0
    this.#pageBytes = Math.max(bytes, 1024)
    this.#iterator =
      page.nextIterator === undefined ? undefined : { token: page.nextIterator, givenAt: clock.monotonic() }
    const empty = page.records.length === 0
    const full = page.records.length >= recordsPerRead
    this.#lastAnswer = { askedAt, behindMs: page.millisBehindLatest, full, empty }
    if (empty) this.#freshMs = page.serverTime.earliestMs
    if (page.millisBehindLatest === 0 && !full) this.#seenMs = Math.floor(page.serverTime.earliestMs)
    if (page.nextIterator === undefined) {
      this.#over = true
      this.#context.discovered(page.children ?? [])
    }
  }

  /** The rows of a page that were not let in before. */
  #admit(page: RecordsPage): readonly Row[] {
    const rows: Row[] = []
    const hashRange = this.#context.hashRangeOf(this.shardId)
    for (const record of page.records) {
      const cut = this.#cut
      const order = cut ? compareSequence(record.sequenceNumber, cut.sequenceNumber) : 1
      if (order < 0 || (order === 0 && !isPartial(cut))) continue
      const parts = rowsOf(record, hashRange, this.#context.counters)
      rows.push(...(cut && order === 0 ? parts.filter((row) => isAfter(row, cut)) : parts))
      this.#cut = { sequenceNumber: record.sequenceNumber }
      if (record.arrivedMs !== undefined) this.#freshMs = record.arrivedMs
    }
    return rows
  }

  /** A position without a record to look for is judged by its age alone, once, when the query resumes. */
  async #refuseAged(): Promise<void> {
    const { watch, losses, closed } = this.#context
    if (isSequence(this.#position) || this.#cut) {
      // Read, but so long ago that what follows may be trimmed between two requests: look for the record each time.
      const since = this.#freshMs
      const aged = since !== undefined && watch.mayBeTrimmed(since)
      if (aged && this.#trust !== 'counted' && !this.#verify && this.#cut && !isPartial(this.#cut)) {
        this.#verify = this.#cut
        this.#iterator = undefined
      }
      return
    }
    if (!this.#checkAge) return
    const since =
      this.#position.seenMs ?? ('timestampMs' in this.#position ? this.#position.timestampMs : undefined)
    if (since !== undefined && watch.mayBeTrimmed(since)) {
      await watch.describe(closed)
      if (watch.mayBeTrimmed(since)) {
        losses.range(
          this.shardId,
          'the query stopped reading it longer ago than the retention of the stream',
          this.#range(),
        )
      }
    }
    this.#checkAge = false
  }

  /** Whether the page may be used: the record to look for is in it, or its loss is tolerated. */
  async #verified(wanted: SequencePosition, page: RecordsPage): Promise<boolean> {
    if (page.records.some((record) => record.sequenceNumber === wanted.sequenceNumber)) {
      this.#verify = undefined
      this.#misses = 0
      return true
    }
    const empty = page.records.length === 0
    const atEdge = page.millisBehindLatest === 0 || this.#isStuck(page)
    if (empty && page.nextIterator !== undefined && (!atEdge || ++this.#misses < MISSES)) {
      // Empty answers on the way to a record are normal.
      this.#iterator = { token: page.nextIterator, givenAt: this.#context.clock.monotonic() }
      this.#backoff.succeeded()
      return false
    }
    await this.#trimmed(wanted, 'the record at the position is not there any more')
    return !empty
  }

  /** The record at the position is gone. Goes on from the horizon if nothing was lost, or the loss is tolerated. */
  async #trimmed(wanted: SequencePosition, reason: string): Promise<void> {
    const { watch, losses, closed } = this.#context
    await watch.describe(closed)
    const { arrivedMs, seenMs } = wanted
    this.#cut = { sequenceNumber: wanted.sequenceNumber }
    if (this.#trust === 'counted') return this.#fromHorizon()
    const agedOut = arrivedMs !== undefined && watch.mayBeTrimmed(arrivedMs)
    const readSince = seenMs !== undefined && !watch.mayBeTrimmed(seenMs)
    if (!(agedOut && readSince)) losses.range(this.shardId, reason, this.#range())
    this.#verify = undefined
    this.#misses = 0
    this.#fromHorizon()
  }

  #fromHorizon(): void {
    this.#iterator = undefined
    this.#restart = { type: 'TRIM_HORIZON' }
  }

  /** Readers at a trimmed position have been seen to get empty answers for ever, always as far behind as can be. */
  #isStuck(page: RecordsPage): boolean {
    const { summary } = this.#context.watch
    const behindAll = summary !== undefined && page.millisBehindLatest >= summary.retentionMs * 0.99
    return behindAll && page.records.length === 0 && this.#cut !== undefined && this.#restart === undefined
  }

  /** An answer without next iterator ends the shard only if it names children, or if the list of shards agrees. */
  async #believeEnd(page: RecordsPage): Promise<boolean> {
    if (page.children !== undefined) return true
    const { counters, look } = this.#context
    this.#endSightings++
    if (this.#endSightings >= END_SIGHTINGS && (await look(this.shardId)) !== 'open') return true
    counters.unconfirmedEnds++
    this.#retry(this.#badEnd())
    return false
  }

  #badEnd(): SluiceError {
    const where = `GetRecords on shard ${this.shardId} (${this.#context.port.place})`
    return new SluiceError('AWS_BAD_RESPONSE', { where, reason: 'neither a next iterator nor child shards' })
  }

  async #recover(thrown: unknown): Promise<void> {
    const { counters, watch, closed, look } = this.#context
    if (hasCode(thrown, 'KINESIS_ITERATOR_EXPIRED')) {
      counters.expiredIterators++
      this.#iterator = undefined
    }
    if (hasCode(thrown, 'KINESIS_SHARD_GONE')) {
      await watch.describe(closed)
      if ((await look(this.shardId)) === 'gone') return this.#vanish(thrown)
      if (this.#verify) return await this.#trimmed(this.#verify, reasonOf(thrown))
      // Listed, and yet not found: the answers of the service lag behind one another.
      return this.#retryAnyway(thrown)
    }
    if (hasCode(thrown, 'KINESIS_POSITION_REFUSED')) {
      await watch.describe(closed)
      const wanted = this.#verify ?? this.#cut
      if (wanted && this.#restart === undefined) return await this.#trimmed(wanted, reasonOf(thrown))
    }
    if (hasCode(thrown, 'AWS_REQUEST_REFUSED') && this.#iterator && this.#backoff.failures < 3) {
      // An iterator that the service does not take any more says nothing against the position.
      this.#iterator = undefined
      return this.#retryAnyway(thrown)
    }
    if (hasCode(thrown, 'AWS_THROTTLED')) counters.throttled++
    this.#retry(thrown)
  }

  #vanish(cause: SluiceError): void {
    const reason = `the shard expired before it was read to its end: ${reasonOf(cause)}`
    this.#context.losses.shard(this.shardId, reason, this.#range())
    this.#over = true
    this.#vanished = true
    this.#verify = undefined
  }

  #retry(error: unknown): void {
    if (!(error instanceof SluiceError) || !error.retriable) throw error
    this.#retryAnyway(error)
  }

  #retryAnyway(error: SluiceError): void {
    const { counters, log, port } = this.#context
    counters.retries++
    const exhausted = this.#backoff.failed()
    if (exhausted) {
      const where = `reading shard ${this.shardId} (${port.place})`
      const seconds = exhausted.exhaustedAfterSeconds
      throw new SluiceError(
        'KINESIS_RETRIES_EXHAUSTED',
        { where, seconds, reason: error.message },
        { cause: error },
      )
    }
    log.debug({ shard: this.shardId, code: error.code, waitMs: this.#backoff.waitMs }, 'will ask again')
  }

  #range(): string {
    return `${describePosition(this.#cut ?? this.#position)} to the trim horizon`
  }
}

function isPartial(position: SequencePosition | undefined): boolean {
  return position?.subSequenceNumber !== undefined || position?.inclusive === true
}
