import { setMaxListeners } from 'node:events'
import type { Clock } from '../../clock.ts'
import type { Gate } from './gate.ts'
import type { ReadLimits } from './options.ts'
import type { RowBlock } from './row-block.ts'
import type { ShardWalk } from './shard-walk.ts'

/** Everything that `availableNow` stands for. */
export interface Pin {
  /** On the monotonic clock. */
  readonly at: number
  /** The latest that the service's clock can have shown then; what arrived later is left for another time. */
  readonly arrivedMs: number
  /** How many requests each shard that was being read had asked by then. */
  readonly asked: ReadonlyMap<ShardWalk, number>
}

export interface Gathered {
  /** By shard, in the order of the shard; shards without rows are left out. */
  readonly rows: ReadonlyMap<string, readonly RowBlock[]>
  /** Every shard that took part has nothing more for now; none was left out for a limit. */
  readonly complete: boolean
}

/** How long a read goes on without rows; and how much longer when a shard crosses a sparse stretch. */
const QUIET_MS = 1000
const GAP_MS = 29_000
/** How long rows in hand wait for shards that have only to wait for their turn. */
const LINGER_MS = 50

/**
 * Gathers the rows of one micro-batch from all shards at once.
 *
 * It ends when every shard stands at its tip, or when a limit is reached: rows of a shard, bytes, time. A shard that
 * only waits for its rate limit or after a failure does not hold up rows of the others. Without rows it waits longer
 * while some shard crosses a sparse stretch: cut short each time, such a shard would never get across.
 */
export class BatchReader {
  readonly #clock: Clock
  readonly #limits: ReadLimits
  readonly #gate: Gate
  readonly #pin: Pin | undefined
  readonly #startedAt: number
  readonly #closing = new AbortController()
  readonly #closed: Promise<void>
  readonly #blocks = new Map<string, RowBlock[]>()
  readonly #joined: Promise<boolean>[] = []
  readonly #gaps = new Set<ShardWalk>()
  #bytes = 0
  #expectedBytes = 0
  #active = 0
  #idle = 0
  #lingered = false
  #wakeWaiting: (() => void)[] = []

  /** @param signals any of them closes the batch */
  constructor(
    clock: Clock,
    limits: ReadLimits,
    gate: Gate,
    pin: Pin | undefined,
    signals: readonly AbortSignal[],
  ) {
    this.#clock = clock
    this.#limits = limits
    this.#gate = gate
    this.#pin = pin
    this.#startedAt = clock.monotonic()
    this.#closed = new Promise((resolve) => {
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    // Every shard of the stream waits on this one signal.
    setMaxListeners(0, this.#closing.signal)
    const abort = (): void => this.#closing.abort()
    for (const signal of signals) {
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort, { once: true })
      void this.#closed.then(() => signal.removeEventListener('abort', abort))
    }
    void this.#watchQuiet()
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  rowsOf(shardId: string): number {
    return this.#blocks.get(shardId)?.reduce((sum, rows) => sum + rows.length, 0) ?? 0
  }

  /** Lets a shard take part from now on. */
  join(walk: ShardWalk): void {
    this.#joined.push(this.#drain(walk))
  }

  /** Waits until all that joined so far are done, or the batch is closed. @throws what a shard throws */
  async settle(): Promise<void> {
    await Promise.race([Promise.all(this.#joined), this.#closed])
    // A failure that came with the close must not stay behind unhandled.
    if (this.closed) await Promise.all(this.#joined)
  }

  /** Something else a batch waits for, unless it is closed first. */
  async wait(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#closed])
  }

  /** Ends the batch. Requests under way go on; what they bring waits for the next one. */
  async finish(): Promise<Gathered> {
    const settled = this.#joined.map((each) => each.catch(() => false))
    this.#closing.abort()
    const complete = (await Promise.all(settled)).every((done) => done)
    return { rows: this.#blocks, complete }
  }

  /** True when the shard has nothing more; false when the batch was closed, or the shard's limit reached, before. */
  async #drain(walk: ShardWalk): Promise<boolean> {
    this.#active++
    const { asked } = walk
    try {
      for (;;) {
        const room = this.#take(walk)
        if (this.#isDone(walk, asked)) return true
        if (this.closed || !room) return false
        if (walk.stepping || (await this.#turn(walk))) await this.#step(walk)
        if (walk.crossingGap) this.#gaps.add(walk)
        else this.#gaps.delete(walk)
      }
    } finally {
      this.#active--
      this.#gaps.delete(walk)
      this.#closeIfIdle()
    }
  }

  /** Moves rows into the batch; false when a limit allows no more of this shard. */
  #take(walk: ShardWalk): boolean {
    const { rows } = walk
    const room = this.#limits.rowsPerShard - this.rowsOf(walk.shardId)
    if (rows.length === 0 || room <= 0) return room > 0
    const wanted = this.closed ? 0 : Math.min(this.#upToPin(rows), room)
    const fitting = rows.fitting(this.#limits.bytes - this.#bytes)
    // One row is always taken, however large.
    const count = Math.min(wanted, this.#bytes === 0 ? Math.max(1, fitting) : fitting)
    if (count > 0) this.#add(walk.take(count), walk.shardId)
    if (count < wanted || this.#bytes >= this.#limits.bytes) this.#closing.abort()
    return !walk.hasRows && count < room
  }

  #add(rows: RowBlock, shardId: string): void {
    if (this.#blocks.size === 0) void this.#watchRows()
    this.#blocks.set(shardId, [...(this.#blocks.get(shardId) ?? []), rows])
    this.#bytes += rows.bytes
  }

  #isDone(walk: ShardWalk, asked: number): boolean {
    if (walk.hasRows) return this.#upToPin(walk.rows) === 0
    if (this.#pin) return walk.caughtUpSince(this.#pin.asked.get(walk) ?? 0, this.#pin.at)
    return walk.caughtUpSince(asked, this.#startedAt)
  }

  /** How many of the first rows belong to what the pin stands for. */
  #upToPin(rows: RowBlock): number {
    return this.#pin ? rows.arrivedBy(this.#pin.arrivedMs) : rows.length
  }

  async #step(walk: ShardWalk): Promise<void> {
    // Answers may bring up to 10 MiB each: no more are asked for than the batch can hold, but always one.
    while (
      this.#expectedBytes > 0 &&
      this.#bytes + this.#expectedBytes + walk.expectedBytes > this.#limits.bytes
    ) {
      const landed = new Promise<void>((wake) => this.#wakeWaiting.push(wake))
      await Promise.race([landed, this.#closed])
      if (this.closed) return
    }
    const expected = walk.expectedBytes
    this.#expectedBytes += expected
    // A failure that comes after the close is met again by the next batch, which asks again.
    const step = this.#gate
      .pass(async () => {
        if (!this.closed) await walk.step()
      })
      .finally(() => {
        this.#expectedBytes -= expected
        for (const wake of this.#wakeWaiting.splice(0)) wake()
      })
    step.catch(() => undefined)
    await Promise.race([step, this.#closed])
  }

  async #turn(walk: ShardWalk): Promise<boolean> {
    const idle = walk.waitMs > 0 && (walk.atTip || walk.failing)
    if (idle) this.#idle++
    this.#closeIfIdle()
    const mine = await walk.turn(this.#closing.signal)
    if (idle) this.#idle--
    return mine
  }

  /** Rows are there, and all other shards only wait: at their tips for the rate limit, or after failures. */
  #closeIfIdle(): void {
    if (this.#lingered && this.#active > 0 && this.#idle === this.#active) this.#closing.abort()
  }

  /** From the first row on: a moment for shards whose turn is about to come, then the time limit. */
  async #watchRows(): Promise<void> {
    const { signal } = this.#closing
    const linger = Math.min(LINGER_MS, this.#limits.fetchTimeMs)
    await this.#clock.sleep(linger, signal)
    this.#lingered = true
    this.#closeIfIdle()
    await this.#clock.sleep(this.#limits.fetchTimeMs - linger, signal)
    this.#closing.abort()
  }

  /** A read that brings no row returns as well, so that whoever waits for it can turn to something else. */
  async #watchQuiet(): Promise<void> {
    const { signal } = this.#closing
    await this.#clock.sleep(QUIET_MS, signal)
    if (this.#bytes === 0 && this.#gaps.size > 0) await this.#clock.sleep(GAP_MS, signal)
    if (this.#bytes === 0) this.#closing.abort()
  }
}
