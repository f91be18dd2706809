import type { Clock } from '../../clock.ts'
import type { ShardRate } from './options.ts'

/** An answer of this size makes the service refuse the shard for the next five seconds. */
const FULL_ANSWER_BYTES = 9.5 * 1024 * 1024
const FULL_ANSWER_PAUSE_MS = 5000
const TIE_MS = 1

/**
 * When a shard may be asked again. A shard allows five reads and 2 MiB in a second to all its polling consumers
 * together; spacing the calls evenly, instead of allowing bursts, stays below that in every second.
 */
export class ShardLimiter {
  readonly #clock: Clock
  readonly #queue: symbol[] = []
  #lastCall = Number.NEGATIVE_INFINITY
  #bytesPaidAt = Number.NEGATIVE_INFINITY
  #lastIterator = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds until the next read of the shard is due, by this caller's rate; 0 when it is. */
  waitMs(rate: ShardRate): number {
    const ready = Math.max(this.#lastCall + rate.intervalMs, this.#bytesPaidAt)
    return Math.max(0, ready - this.#clock.monotonic())
  }

  /**
   * Waits for this caller's turn to read the shard, first come, first served; the turn is taken when it comes.
   *
   * @returns false when `signal` aborted before
   */
  async turn(rate: ShardRate, signal: AbortSignal): Promise<boolean> {
    const ticket = Symbol('turn')
    this.#queue.push(ticket)
    try {
      while (!signal.aborted) {
        const waitMs = this.waitMs(rate)
        if (waitMs === 0 && this.#queue[0] === ticket) {
          this.called()
          return true
        }
        // Due, but somebody else's turn: whoever it is wakes in this very moment.
        await this.#clock.sleep(Math.max(waitMs, TIE_MS), signal)
      }
      return false
    } finally {
      this.#queue.splice(this.#queue.indexOf(ticket), 1)
    }
  }

  /** A read starts now. */
  called(): void {
    this.#lastCall = this.#clock.monotonic()
  }

  /** An answer of so many bytes came: the time it stands for at the shard's rate has to pass first. */
  answered(bytes: number, rate: ShardRate): void {
    const paid = Math.max(this.#bytesPaidAt, this.#lastCall) + (bytes * 1000) / rate.bytesPerSecond
    const pause = bytes >= FULL_ANSWER_BYTES ? this.#clock.monotonic() + FULL_ANSWER_PAUSE_MS : 0
    // A rate far above the service's own is set for stand-ins, which know no such penalty.
    this.#bytesPaidAt = rate.bytesPerSecond > 2 * FULL_ANSWER_BYTES ? paid : Math.max(paid, pause)
  }

  /** GetShardIterator has a limit of its own, five a second and shard. */
  iteratorWaitMs(rate: ShardRate): number {
    return Math.max(0, this.#lastIterator + rate.intervalMs - this.#clock.monotonic())
  }

  iteratorCalled(): void {
    this.#lastIterator = this.#clock.monotonic()
  }
}

/** The limiters of one stream, shared by every source of the process that reads it. */
export class StreamLimiter {
  readonly #clock: Clock
  readonly #shards = new Map<string, ShardLimiter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  shard(shardId: string): ShardLimiter {
    const limiter = this.#shards.get(shardId) ?? new ShardLimiter(this.#clock)
    this.#shards.set(shardId, limiter)
    return limiter
  }
}

interface Shared {
  readonly limiter: StreamLimiter
  users: number
}

/** By clock first, so that a test with a clock of its own shares nothing with the rest. */
const registry = new WeakMap<Clock, Map<string, Shared>>()

/**
 * The limiter of a stream, the same one for all queries of the process that read it.
 *
 * @param streamId endpoint, region and name
 * @returns the limiter, and a function to call once when it is no longer used
 */
export function shareLimiter(
  clock: Clock,
  streamId: string,
): { limiter: StreamLimiter; release: () => void } {
  const streams = registry.get(clock) ?? new Map<string, Shared>()
  registry.set(clock, streams)
  const shared = streams.get(streamId) ?? { limiter: new StreamLimiter(clock), users: 0 }
  streams.set(streamId, shared)
  const { limiter } = shared
  shared.users++
  let released = false
  const release = (): void => {
    const current = streams.get(streamId)
    if (released || !current) return
    released = true
    current.users--
    if (current.users === 0) streams.delete(streamId)
  }
  return { limiter, release }
}
