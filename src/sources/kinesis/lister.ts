import { Backoff, type RetryLimits } from '../../backoff.ts'
import type { Clock } from '../../clock.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Counters } from './counters.ts'
import { gaveUp } from './gave-up.ts'
import type { KinesisPort, Shard } from './kinesis-port.ts'
import { coverageGap, missingParents, type ShardMap } from './shards.ts'

export interface ListerContext {
  readonly port: KinesisPort
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Logger
  readonly retry: RetryLimits
  readonly intervalMs: number
  readonly streamName: string
}

/** A list that races a reshard is asked for again this often, and so much later each time. */
const INCONSISTENT_TRIES = 3
const INCONSISTENT_WAIT_MS = 500
const ANNOUNCED_MS = 300_000
/** Tokens live for five minutes; a listing that outlives its token starts again, but not for ever. */
const TOKEN_TRIES = 3

/**
 * What is known about the shards of the stream: the last consistent ListShards, and the children that ends of shards
 * have named since.
 */
export class Lister {
  readonly #context: ListerContext
  readonly #backoff: Backoff
  #known = new Map<string, Shard>()
  /** Named by `ChildShards`, and not listed yet: the list lags behind. With the moment from which it no longer may. */
  #announced = new Map<string, { readonly shard: Shard; readonly until: number }>()
  #listedAt = Number.NEGATIVE_INFINITY
  #asked = false
  /** Parents that two lists in a row have missed while they showed a child: expired. */
  #expired: ReadonlySet<string> = new Set()
  #pending: Promise<void> | undefined

  constructor(context: ListerContext) {
    this.#context = context
    this.#backoff = new Backoff(context.clock, context.retry)
  }

  get known(): ShardMap {
    return this.#known
  }

  /** In the last list itself, or named so recently that the list need not show it yet. */
  has(shardId: string): boolean {
    const announced = this.#announced.get(shardId)
    return announced ? announced.until > this.#context.clock.monotonic() : this.#known.has(shardId)
  }

  /** Whether a look is due: the interval has passed, or somebody asked for one. Never while backing off. */
  get due(): boolean {
    const { clock, intervalMs } = this.#context
    if (this.#backoff.waitMs > 0) return false
    return this.#asked || clock.monotonic() - this.#listedAt >= intervalMs
  }

  /** Makes the next look due at once. */
  ask(): void {
    this.#asked = true
  }

  /**
   * Children that the end of a shard named. The child of a merge may have a parent that is unknown because it is as new
   * as the child; only a list can tell that from one that has expired, so such a child has to wait for the list.
   */
  announce(children: readonly Shard[]): void {
    for (const child of children) {
      if (this.#known.has(child.shardId) || !child.parents.every((parent) => this.#known.has(parent)))
        continue
      this.#announced.set(child.shardId, {
        shard: child,
        until: this.#context.clock.monotonic() + ANNOUNCED_MS,
      })
      this.#known.set(child.shardId, child)
    }
  }

  /**
   * Looks now. Of callers at one time only the first asks the service.
   *
   * @throws KINESIS_SHARD_MAP_INCONSISTENT, KINESIS_STREAM_NOT_FOUND, AWS_…
   */
  async refresh(signal: AbortSignal): Promise<void> {
    this.#pending ??= this.#list(signal).finally(() => {
      this.#pending = undefined
    })
    await this.#pending
  }

  /**
   * Looks if that is due. What may pass keeps the old list and is tried again later, with pauses.
   *
   * @throws KINESIS_RETRIES_EXHAUSTED, KINESIS_STREAM_NOT_FOUND, AWS_…
   */
  async refreshIfDue(signal: AbortSignal): Promise<void> {
    if (!this.due) return
    try {
      await this.refresh(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof SluiceError) || !error.retriable) throw error
      this.#postpone(error)
    }
  }

  #postpone(error: SluiceError): void {
    const { counters, log, port, streamName } = this.#context
    counters.retries++
    if (hasCode(error, 'AWS_THROTTLED')) counters.throttled++
    const exhausted = this.#backoff.failed()
    if (exhausted) {
      const where = `listing the shards of stream '${streamName}' (${port.place})`
      throw gaveUp(where, exhausted.exhaustedAfterSeconds, error)
    }
    log.debug({ code: error.code, waitMs: this.#backoff.waitMs }, 'will list the shards again')
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { clock, log, streamName } = this.#context
    for (let attempt = 1; ; attempt++) {
      const known = this.#withAnnounced(await this.#listAll(signal))
      if (missingParents(known).some((id) => !this.#expired.has(id))) {
        for (const [id, shard] of await this.#listAll(signal)) known.set(id, shard)
      }
      const gap = coverageGap(known)
      if (gap === undefined) {
        this.#report(known)
        this.#known = known
        this.#expired = new Set(missingParents(known))
        this.#listedAt = clock.monotonic()
        this.#asked = false
        this.#backoff.succeeded()
        return
      }
      if (attempt === INCONSISTENT_TRIES) {
        throw new SluiceError('KINESIS_SHARD_MAP_INCONSISTENT', { stream: streamName, reason: gap })
      }
      log.debug({ gap, attempt }, 'the list of shards is not consistent yet')
      await clock.sleep(INCONSISTENT_WAIT_MS * attempt, signal)
    }
  }

  async #listAll(signal: AbortSignal): Promise<Map<string, Shard>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listPages(signal)
      } catch (error) {
        if (!hasCode(error, 'KINESIS_TOKEN_EXPIRED') || attempt === TOKEN_TRIES) throw error
      }
    }
  }

  async #listPages(signal: AbortSignal): Promise<Map<string, Shard>> {
    const { port, counters } = this.#context
    // By id: an answer may list a shard twice.
    const shards = new Map<string, Shard>()
    let nextToken: string | undefined
    do {
      counters.listings++
      const page = await port.listShards(nextToken, signal)
      for (const shard of page.shards) shards.set(shard.shardId, shard)
      nextToken = page.nextToken
    } while (nextToken !== undefined)
    return shards
  }

  /** Keeps announced children until the list shows them. */
  #withAnnounced(listed: Map<string, Shard>): Map<string, Shard> {
    for (const [id, { shard, until }] of this.#announced) {
      if (listed.has(id) || until <= this.#context.clock.monotonic()) this.#announced.delete(id)
      else listed.set(id, shard)
    }
    return listed
  }

  #report(known: ShardMap): void {
    if (this.#known.size === 0) return
    const added = [...known.keys()].filter((id) => !this.#known.has(id))
    const gone = [...this.#known.keys()].filter((id) => !known.has(id))
    if (added.length + gone.length > 0)
      this.#context.log.info({ added, gone }, 'the shards of the stream have changed')
  }
}
