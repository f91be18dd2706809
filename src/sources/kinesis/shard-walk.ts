import { Backoff } from '../../backoff.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import { gaveUp } from './gave-up.ts'
import type { RecordsPage } from './kinesis-port.ts'
import type { OpenPosition } from './position.ts'
import { NO_ROWS, type RowBlock } from './row-block.ts'
import { positionAfter } from './rows.ts'
import { ShardCursor } from './shard-cursor.ts'
import type { WalkContext } from './walk-context.ts'

/** Ends that name no child are believed after so many equal answers, if the list of shards agrees. */
const END_SIGHTINGS = 5
/** Refusals of an iterator, or of a shard that is listed, which are taken for passing trouble. */
const STRAY_REFUSALS = 3
const FIRST_PAGE_BYTES = 256 * 1024

interface Answer {
  /** Of the request that it answers. */
  readonly ordinal: number
  readonly askedAt: number
  readonly behindMs: number
  /** As many records as were asked for. */
  readonly full: boolean
  readonly empty: boolean
  /** Another source asked. */
  readonly isShared: boolean
}

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
  readonly #cursor: ShardCursor
  #position: OpenPosition
  #rows: RowBlock = NO_ROWS
  #pageBytes = FIRST_PAGE_BYTES
  #endSightings = 0
  #over = false
  #vanished = false
  #asked = 0
  #lastAnswer: Answer | undefined
  /** Server time up to which nothing lies after the last fetched record. */
  #seenMs: number | undefined
  #pending: Promise<void> | undefined

  /** @param counted rows are re-read and will be counted: see `ShardCursor` */
  constructor(shardId: string, position: OpenPosition, counted: boolean, context: WalkContext) {
    this.shardId = shardId
    this.#context = context
    this.#position = position
    this.#backoff = new Backoff(context.clock, context.retry)
    this.#cursor = new ShardCursor(shardId, position, counted, context)
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
    return this.#rows.length > 0
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

  /** How long the next request has to wait at least, for the limits of the shard or after a failure. */
  get waitMs(): number {
    const { limiter, rate } = this.#context
    return Math.max(this.#ownWaitMs, this.#cursor.isAtHand ? 0 : limiter.shard(this.shardId).waitMs(rate))
  }

  /** Waits until the next request may be made. False when `signal` aborted before; else `step` is due at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    for (let waitMs = this.#ownWaitMs; waitMs > 0 && !signal.aborted; waitMs = this.#ownWaitMs) {
      await this.#context.clock.sleep(waitMs, signal)
    }
    // What another source has asked for costs the shard nothing.
    if (this.#cursor.isAtHand) return !signal.aborted
    return await this.#context.limiter.shard(this.shardId).turn(this.#context.rate, signal)
  }

  get #ownWaitMs(): number {
    const { limiter, rate } = this.#context
    const open = this.#cursor.hasIterator ? 0 : limiter.shard(this.shardId).iteratorWaitMs(rate)
    return Math.max(this.#backoff.waitMs, open)
  }

  /** Number of requests asked so far: what `caughtUpSince` measures from. */
  get asked(): number {
    return this.#asked
  }

  /**
   * Whether everything that had arrived by a moment was fetched: by an answer to a question asked after it that was at
   * the tip, or behind it by less than the time that had passed since.
   *
   * @param asked the number of requests asked by then
   * @param at the moment, on the monotonic clock
   */
  caughtUpSince(asked: number, at: number): boolean {
    const last = this.#lastAnswer
    if (this.#over) return true
    // A full page says nothing about what follows it, whatever distance from the tip it claims.
    if (!last || last.full || this.failing || this.#cursor.unproven) return false
    // At the tip of a closed shard there is still its end to be met, and behind it its children.
    if (this.#context.isClosed(this.shardId)) return false
    // What another source asked for may have been answered before the moment, or in it.
    if (last.ordinal <= asked || (last.isShared && last.askedAt <= at)) return false
    return last.behindMs === 0 || last.behindMs < last.askedAt - at
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

  /** Rows that were fetched and not taken. */
  get rows(): RowBlock {
    return this.#rows
  }

  /** Takes the first `count` of the waiting rows. */
  take(count: number): RowBlock {
    const taken = this.#rows.slice(0, count)
    if (count === 0) return taken
    this.#position = positionAfter(taken.row(count - 1))
    this.#rows = count < this.#rows.length ? this.#rows.slice(count) : NO_ROWS
    return taken
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
    try {
      const iterator = await this.#cursor.iterator()
      // Later than the turn was given: the wait for an iterator lies between.
      if (!this.#cursor.isAtHand) this.#context.limiter.shard(this.shardId).called()
      const askedAt = this.#context.clock.monotonic()
      this.#asked++
      const { port, closed, recordsPerRead, counters } = this.#context
      counters.reads++
      const page = await port.getRecords(this.shardId, iterator, recordsPerRead, closed)
      if (page.sharedAt === undefined) return await this.#accept(page, askedAt)
      counters.reads--
      counters.sharedReads++
      await this.#accept(page, page.sharedAt)
    } catch (error) {
      if (this.#context.closed.aborted) return
      // Finding out what an error means asks the service again, which may fail in its turn.
      await this.#recover(error).catch((again: unknown) => this.#retry(again))
    }
  }

  async #accept(page: RecordsPage, askedAt: number): Promise<void> {
    const { counters, limiter, rate, serverClock, recordsPerRead } = this.#context
    const { bytes } = page.records
    if (page.sharedAt === undefined) {
      serverClock.hear(page.serverTime)
      limiter.shard(this.shardId).answered(bytes, rate)
    }
    if (page.nextIterator === undefined && !(await this.#believeEnd(page))) return
    const proven = await this.#cursor.proves(page)
    this.#backoff.succeeded()
    this.#endSightings = 0
    if (!proven) return
    this.#rows = this.#cursor.accept(page)
    this.#pageBytes = Math.max(bytes, 1024)
    counters.records += page.records.length
    counters.bytes += bytes
    const empty = page.records.length === 0
    const full = page.records.length >= recordsPerRead
    const isShared = page.sharedAt !== undefined
    const { millisBehindLatest: behindMs } = page
    this.#lastAnswer = { ordinal: this.#asked, askedAt, behindMs, full, empty, isShared }
    if (page.millisBehindLatest === 0 && !full) this.#seenMs = Math.floor(page.serverTime.earliestMs)
    if (page.nextIterator !== undefined) return
    this.#over = true
    this.#context.discovered(page.children ?? [])
  }

  /**
   * The service names the children at the end of a shard. Stand-ins exist that never do: there an end is believed when
   * it was answered several times in a row and the list of shards agrees.
   */
  async #believeEnd(page: RecordsPage): Promise<boolean> {
    if (page.children !== undefined) return true
    const { counters, look, namesChildren } = this.#context
    this.#endSightings++
    // Where a record must come before the end, such an end also says that it is lost: that takes twice as many.
    const sightings = this.#cursor.unproven ? 2 * END_SIGHTINGS : END_SIGHTINGS
    if (!namesChildren() && this.#endSightings >= sightings && (await look(this.shardId)) !== 'open')
      return true
    counters.unconfirmedEnds++
    // The first few cost no more than the pace of the shard: they may be all there is to see.
    if (namesChildren() || this.#endSightings >= END_SIGHTINGS) this.#retry(this.#badEnd())
    return false
  }

  #badEnd(): SluiceError {
    const where = `GetRecords on shard ${this.shardId} (${this.#context.port.place})`
    return new SluiceError('AWS_BAD_RESPONSE', { where, reason: 'neither a next iterator nor child shards' })
  }

  async #recover(thrown: unknown): Promise<void> {
    const { counters } = this.#context
    if (hasCode(thrown, 'KINESIS_ITERATOR_EXPIRED')) {
      counters.expiredIterators++
      this.#cursor.dropIterator()
    }
    if (hasCode(thrown, 'KINESIS_SHARD_GONE')) return await this.#explainGone(thrown)
    if (hasCode(thrown, 'KINESIS_POSITION_REFUSED') && (await this.#isRefused(thrown))) return
    if (
      hasCode(thrown, 'AWS_REQUEST_REFUSED') &&
      this.#cursor.hasIterator &&
      this.#backoff.failures < STRAY_REFUSALS
    ) {
      // An iterator that the service does not take any more says nothing against the position.
      this.#cursor.dropIterator()
      return this.#retryAnyway(thrown)
    }
    if (hasCode(thrown, 'AWS_THROTTLED')) counters.throttled++
    this.#retry(thrown)
  }

  /** The shard has expired; or its records have, which some stand-ins answer alike; or the service is not up to date. */
  async #explainGone(error: SluiceError<'KINESIS_SHARD_GONE'>): Promise<void> {
    const { watch, closed, look } = this.#context
    await watch.describe(closed)
    if ((await look(this.shardId)) === 'gone') return this.#vanish(error)
    if (this.#backoff.failures < STRAY_REFUSALS) return this.#retryAnyway(error)
    if (!(await this.#cursor.refused(String(error.params.reason)))) this.#retryAnyway(error)
  }

  async #isRefused(error: SluiceError<'KINESIS_POSITION_REFUSED'>): Promise<boolean> {
    const { watch, closed } = this.#context
    // Of a stream that was created anew, no position is known.
    await watch.describe(closed)
    return await this.#cursor.refused(String(error.params.reason))
  }

  #vanish(cause: SluiceError<'KINESIS_SHARD_GONE'>): void {
    const reason = `the shard expired before it was read to its end: ${cause.params.reason}`
    this.#context.losses.shard(this.shardId, reason, this.#cursor.range)
    this.#over = true
    this.#vanished = true
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
      throw gaveUp(`reading shard ${this.shardId} (${port.place})`, exhausted.exhaustedAfterSeconds, error)
    }
    log.debug({ shard: this.shardId, code: error.code, waitMs: this.#backoff.waitMs }, 'will ask again')
  }
}
