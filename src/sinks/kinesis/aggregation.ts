import { Aggregate, isAggregate } from './aggregate.ts'
import type { Entry } from './entries.ts'
import type { Outcome } from './put-port.ts'
import { hashOf, type ShardMap } from './shard-map.ts'

/**
 * Packs records that go to the same shard, and finds those which went elsewhere.
 *
 * Readers (the KCL, and our source) drop an aggregate as a whole when one of its records belongs to another shard: they
 * take it for one that its producer sends again after a reshard. So it has to be sent again, record by record.
 */
export class Aggregation {
  readonly #shards: ShardMap
  readonly #bytes: number

  /** @param bytes of the data of an aggregate, at most; a larger record stays as it is */
  constructor(shards: ShardMap, bytes: number) {
    this.#shards = shards
    this.#bytes = bytes
  }

  /** Records of one shard keep their order. */
  async *pack(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
    await this.#shards.know()
    const open = new Map<string, Aggregate>()
    for await (const entry of entries) {
      const shardId = this.#shards.shardFor(hashOf(entry))?.shardId ?? ''
      let aggregate = open.get(shardId) ?? new Aggregate()
      if (aggregate.size > 0 && aggregate.bytesWith(entry) > this.#bytes) {
        yield aggregate.finish()
        aggregate = new Aggregate()
      }
      aggregate.add(entry)
      open.set(shardId, aggregate)
    }
    for (const aggregate of open.values()) yield aggregate.finish()
  }

  /** The records, one by one, of aggregates that readers will drop. */
  async misplaced(entries: readonly Entry[], outcomes: readonly Outcome[]): Promise<readonly Entry[]> {
    const strays: Entry[] = []
    for (const [i, entry] of entries.entries()) {
      const outcome = outcomes[i]
      if (!isAggregate(entry) || outcome === undefined || 'refusal' in outcome) continue
      if (!this.#shards.shard(outcome.shardId)) {
        this.#shards.forget()
        await this.#shards.know()
      }
      const shard = this.#shards.shard(outcome.shardId)
      const isIn = (hash: bigint) => shard !== undefined && shard.first <= hash && hash <= shard.last
      if (!entry.members.every((member) => isIn(hashOf(member)))) strays.push(...entry.members)
    }
    return strays
  }
}
