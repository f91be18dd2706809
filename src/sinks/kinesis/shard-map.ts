import { createHash } from 'node:crypto'
import type { Entry } from './entries.ts'
import type { OpenShard, PutPort } from './put-port.ts'

/** The shards that take records now, as last listed; a reshard is told by where records went. */
export class ShardMap {
  readonly #port: PutPort
  /** By the hashes they take, in their order. */
  #shards: readonly OpenShard[] = []
  #isKnown = false

  constructor(port: PutPort) {
    this.#port = port
  }

  /** Lists the shards if that was not done since `forget`. */
  async know(): Promise<void> {
    if (this.#isKnown) return
    const shards = await this.#port.openShards()
    this.#shards = [...shards].sort((a, b) => (a.first < b.first ? -1 : 1))
    this.#isKnown = true
  }

  forget(): void {
    this.#isKnown = false
  }

  shard(shardId: string): OpenShard | undefined {
    return this.#shards.find((shard) => shard.shardId === shardId)
  }

  shardFor(hash: bigint): OpenShard | undefined {
    let [low, high] = [0, this.#shards.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const shard = this.#shards[middle] as OpenShard
      if (hash < shard.first) high = middle - 1
      else if (hash > shard.last) low = middle + 1
      else return shard
    }
    return undefined
  }
}

/** Keys are placed by their MD5, as a number of 128 bits. */
export function hashOf({ PartitionKey, ExplicitHashKey }: Entry): bigint {
  if (ExplicitHashKey !== undefined) return BigInt(ExplicitHashKey)
  return BigInt(`0x${createHash('md5').update(PartitionKey).digest('hex')}`)
}
