import type { Clock } from '../../clock.ts'
import { type Entry, sizeOf } from './entries.ts'
import type { Outcome } from './put-port.ts'
import type { Pace } from './sender.ts'
import { hashOf, type ShardMap } from './shard-map.ts'

/** What a shard takes in a second; more is refused record by record. */
export const SHARD_BYTES_A_SECOND = 1_000_000
const SHARD_RECORDS_A_SECOND = 1000

/** A little more than a second, for requests do not all travel equally long. */
const SPAN_MS = 1100

interface Load {
  readonly records: number
  readonly bytes: number
}

interface Sent extends Load {
  readonly atMs: number
}

/**
 * Holds requests back until the shards of their records have room, by the service's limits. Others may write to the
 * stream as well, so refusals can still happen. A request should hold no more than a shard takes in a second.
 */
export class ShardPace implements Pace {
  readonly #shards: ShardMap
  readonly #clock: Clock
  readonly #stop: AbortSignal
  /** By shard: what was sent within the last span, oldest first. */
  readonly #sent = new Map<string, Sent[]>()

  constructor(shards: ShardMap, clock: Clock, stop: AbortSignal) {
    this.#shards = shards
    this.#clock = clock
    this.#stop = stop
  }

  async wait(entries: readonly Entry[]): Promise<boolean> {
    await this.#shards.know()
    const loads = loadsOf(this.#shards, entries)
    for (;;) {
      const waitMs = Math.max(...[...loads].map(([shardId, load]) => this.#waitMs(shardId, load)))
      if (waitMs <= 0) break
      await this.#clock.sleep(waitMs, this.#stop)
      if (this.#stop.aborted) return false
    }
    const atMs = this.#clock.monotonic()
    for (const [shardId, load] of loads) this.#sentTo(shardId).push({ atMs, ...load })
    return true
  }

  /** A record that went elsewhere than foreseen tells of a reshard. */
  learn(entries: readonly Entry[], outcomes: readonly Outcome[]): void {
    const isElsewhere = outcomes.some((outcome, index) => {
      const entry = entries[index]
      return 'shardId' in outcome && entry && shardOf(this.#shards, entry) !== outcome.shardId
    })
    if (isElsewhere) this.#shards.forget()
  }

  /** Until what was sent last leaves room for the load. */
  #waitMs(shardId: string, load: Load): number {
    const now = this.#clock.monotonic()
    const sent = this.#sentTo(shardId)
    while (sent[0] && sent[0].atMs <= now - SPAN_MS) sent.shift()
    let { records, bytes } = load
    // From the latest back, up to the one that has to slide out of the span first.
    for (const before of [...sent].reverse()) {
      records += before.records
      bytes += before.bytes
      if (records > SHARD_RECORDS_A_SECOND || bytes > SHARD_BYTES_A_SECOND) return before.atMs + SPAN_MS - now
    }
    return 0
  }

  #sentTo(shardId: string): Sent[] {
    const sent = this.#sent.get(shardId) ?? []
    this.#sent.set(shardId, sent)
    return sent
  }
}

function loadsOf(shards: ShardMap, entries: readonly Entry[]): ReadonlyMap<string, Load> {
  const loads = new Map<string, Load>()
  for (const entry of entries) {
    const shardId = shardOf(shards, entry) ?? 'unknown'
    const { records, bytes } = loads.get(shardId) ?? { records: 0, bytes: 0 }
    loads.set(shardId, { records: records + 1, bytes: bytes + sizeOf(entry) })
  }
  return loads
}

function shardOf(shards: ShardMap, entry: Entry): string | undefined {
  return shards.shardFor(hashOf(entry))?.shardId
}
