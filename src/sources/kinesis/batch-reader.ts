import type { Clock } from '../../clock.ts'
import type { Gate } from './gate.ts'
import type { ReadLimits } from './options.ts'
import { bytesOf, type Row } from './rows.ts'
import type { ShardWalk } from './shard-walk.ts'

/** Everything that `availableNow` stands for: asked since `sinceMs` (monotonic), and arrived until `arrivedMs`. */
export interface Pin {
  readonly since: number
  readonly arrivedMs: number
}

export interface Gathered {
  /** By shard, in the order of the shard; shards without rows are left out. */
  readonly rows: ReadonlyMap<string, readonly Row[]>
  /** Every shard that took part has nothing more for now; none was left out for a limit. */
  readonly complete: boolean
}

/** How long a read goes on without rows; and how much longer when a shard crosses a sparse stretch. */
const QUIET_MS = 1000
const GAP_MS = 29_000

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
  readonly #rows = new Map<string, Row[]>()
  readonly #joined: Promise<boolean>[] = []
  readonly #gaps = new Set<ShardWalk>()
  #bytes = 0
  #expectedBytes = 0
  #active = 0
  #idle = 0
  #wakeWaiting: (() => void)[] = []

  constructor(clock: Clock, limits: ReadLimits, gate: Gate, pin: Pin | undefined, signal: AbortSignal) {
    this.#clock = clock
    this.#limits = limits
    this.#gate = gate
    this.#pin = pin
    this.#startedAt = clock.monotonic()
    this.#closed = new Promise((resolve) => {
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    const abort = (): void => this.#closing.abort()
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    void this.#closed.then(() => signal.removeEventListener('abort', abort))
    void this.#watchQuiet()
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  rowsOf(shardId: string): number {
    return this.#rows.get(shardId)?.length ?? 0
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
    return { rows: this.#rows, complete }
  }

  /** True when the shard has nothing more; false when the batch was closed, or the shard's limit reached, before. */
  async #drain(walk: ShardWalk): Promise<boolean> {
    this.#active++
    try {
      for (;;) {
        const room = this.#take(walk)
        if (this.#isDone(walk)) return true
        if (this.closed || !room) return false
        const waitMs = walk.stepping ? 0 : walk.waitMs
        if (waitMs > 0) await this.#sleep(walk, waitMs)
        else await this.#step(walk)
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
    const rows = this.#rows.get(walk.shardId) ?? []
    for (let row = walk.peek(); row; row = walk.peek()) {
      if (this.closed || this.#isBeyondPin(row) || rows.length >= this.#limits.rowsPerShard) break
      const bytes = bytesOf(row)
      if (this.#bytes > 0 && this.#bytes + bytes > this.#limits.bytes) {
        this.#closing.abort()
        break
      }
      walk.take()
      rows.push(row)
      this.#bytes += bytes
    }
    if (rows.length > 0) {
      if (this.#rows.size === 0) void this.#watchTime()
      this.#rows.set(walk.shardId, rows)
      if (this.#bytes >= this.#limits.bytes) this.#closing.abort()
    }
    return !walk.hasRows && rows.length < this.#limits.rowsPerShard
  }

  #isDone(walk: ShardWalk): boolean {
    const next = walk.peek()
    if (next) return this.#isBeyondPin(next)
    return walk.ended || walk.caughtUpSince(this.#pin?.since ?? this.#startedAt)
  }

  #isBeyondPin(row: Row): boolean {
    return this.#pin !== undefined && row.arrivedMs !== undefined && row.arrivedMs > this.#pin.arrivedMs
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
        // The wait for the gate may have been long enough for another query to ask this shard.
        if (!this.closed && (walk.stepping || walk.waitMs === 0)) await walk.step()
      })
      .finally(() => {
        this.#expectedBytes -= expected
        for (const wake of this.#wakeWaiting.splice(0)) wake()
      })
    step.catch(() => undefined)
    await Promise.race([step, this.#closed])
  }

  async #sleep(walk: ShardWalk, ms: number): Promise<void> {
    const idle = walk.atTip || walk.failing
    if (idle) this.#idle++
    this.#closeIfIdle()
    await this.#clock.sleep(ms, this.#closing.signal)
    if (idle) this.#idle--
  }

  /** Rows are there, and all other shards only wait: at their tips for the rate limit, or after failures. */
  #closeIfIdle(): void {
    if (this.#bytes > 0 && this.#active > 0 && this.#idle === this.#active) this.#closing.abort()
  }

  /** The time limit runs from the first row. */
  async #watchTime(): Promise<void> {
    await this.#clock.sleep(this.#limits.fetchTimeMs, this.#closing.signal)
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
