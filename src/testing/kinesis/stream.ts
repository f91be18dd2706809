import type { StreamStatus } from '@aws-sdk/client-kinesis'
import { contains, evenRanges, type HashRange, hashKeyOf } from './hash-key.ts'
import { refuse } from './service-error.ts'
import { Shard } from './shard.ts'

export interface StreamBirth {
  readonly name: string
  readonly arn: string
  readonly account: string
  readonly shards: number
  readonly createdMs: number
  /** From when on the stream is ACTIVE. */
  readonly activeMs: number
  readonly mode: 'PROVISIONED' | 'ON_DEMAND'
  readonly kmsKeyId: string | undefined
  readonly maxRecordSizeInKiB: number
  readonly distribution: 'AUTO' | 'USER_PARTITION_KEY' | undefined
  /** A stamp that no other shard of the service ever had, at or after the given time. */
  readonly stamp: (nowMs: number) => number
}

const HOUR_MS = 3_600_000

/**
 * A stream and its lineage of shards.
 *
 * Invariant: the open shards cover the hash key space without hole or overlap.
 */
export class Stream {
  readonly name: string
  readonly arn: string
  readonly createdMs: number
  readonly mode: 'PROVISIONED' | 'ON_DEMAND'
  readonly kmsKeyId: string | undefined
  readonly maxRecordSizeInKiB: number
  readonly distribution: 'AUTO' | 'USER_PARTITION_KEY' | undefined
  retentionHours = 24
  readonly #account: string
  readonly #activeMs: number
  readonly #stamp: (nowMs: number) => number
  readonly #shards = new Map<string, Shard>()
  /** In the order of their hash ranges. */
  #open: Shard[] = []
  #turn = 0

  constructor(birth: StreamBirth) {
    this.name = birth.name
    this.arn = birth.arn
    this.createdMs = birth.createdMs
    this.mode = birth.mode
    this.kmsKeyId = birth.kmsKeyId
    this.maxRecordSizeInKiB = birth.maxRecordSizeInKiB
    this.distribution = birth.distribution
    this.#account = birth.account
    this.#activeMs = birth.activeMs
    this.#stamp = birth.stamp
    for (const range of evenRanges(birth.shards)) this.#addShard(range, [], birth.createdMs)
  }

  /** Every shard that is not expired, in the order of creation. */
  get shards(): readonly Shard[] {
    return [...this.#shards.values()].filter((shard) => !shard.expired)
  }

  /** In the order of their hash ranges. */
  get openShards(): readonly Shard[] {
    return this.#open
  }

  statusAt(nowMs: number): StreamStatus {
    return nowMs < this.#activeMs ? 'CREATING' : 'ACTIVE'
  }

  retentionMs(): number {
    return this.retentionHours * HOUR_MS
  }

  /** Lets retention take its course on all shards. */
  trim(nowMs: number): void {
    for (const shard of this.#shards.values())
      if (!shard.expired) shard.trimBefore(nowMs - this.retentionMs())
  }

  /** @throws ResourceNotFoundException, with the service's words */
  shard(id: string): Shard {
    const shard = this.#shards.get(id)
    if (shard && !shard.expired) return shard
    return refuse('ResourceNotFoundException', `Shard ${id} in ${this.#place()} does not exist`)
  }

  /** The open shard that takes a record: by its explicit hash key, else its partition key, else in turn. */
  shardFor(partitionKey: string | undefined, explicitHashKey?: string): Shard {
    const [only] = this.#open
    if (only && this.#open.length === 1) return only
    if (explicitHashKey !== undefined) return this.#openAt(BigInt(explicitHashKey))
    if (partitionKey !== undefined && this.distribution !== 'AUTO')
      return this.#openAt(hashKeyOf(partitionKey))
    return this.#open[this.#turn++ % this.#open.length]!
  }

  split(shardId: string, newStart: bigint, nowMs: number): readonly [Shard, Shard] {
    const parent = this.#openShard(shardId)
    const { start, end } = parent.range
    if (newStart <= start + 1n || newStart >= end) {
      refuse(
        'InvalidArgumentException',
        `NewStartingHashKey ${newStart} used in SplitShard() on shard ${shardId} in ${this.#place()} is not both ` +
          `greater than one plus the shard's StartingHashKey ${start} and less than the shard's EndingHashKey ${end}.`,
      )
    }
    return this.#divide(parent, newStart, nowMs)
  }

  merge(shardId: string, adjacentId: string, nowMs: number): Shard {
    const [one, other] = [this.#openShard(shardId), this.#openShard(adjacentId)]
    const [low, high] = one.range.start < other.range.start ? [one, other] : [other, one]
    if (low === high || low.range.end + 1n !== high.range.start) {
      refuse(
        'InvalidArgumentException',
        `Shards ${shardId} and ${adjacentId} in ${this.#place()} are not an adjacent pair of shards eligible for merging`,
      )
    }
    low.close(nowMs)
    high.close(nowMs)
    return this.#addShard({ start: low.range.start, end: high.range.end }, [one, other], nowMs)
  }

  /** Uniform scaling: splits at the new borders, then merges what lies between them, as the service does. */
  scale(target: number, nowMs: number): void {
    for (const range of evenRanges(target)) {
      const cut = this.#openAt(range.start)
      if (cut.range.start !== range.start) this.#divide(cut, range.start, nowMs)
    }
    for (const range of evenRanges(target)) {
      let first = this.#openAt(range.start)
      while (first.range.end < range.end)
        first = this.merge(first.id, this.#openAt(first.range.end + 1n).id, nowMs)
    }
  }

  #divide(parent: Shard, newStart: bigint, nowMs: number): readonly [Shard, Shard] {
    const { start, end } = parent.range
    parent.close(nowMs)
    const left = this.#addShard({ start, end: newStart - 1n }, [parent], nowMs)
    return [left, this.#addShard({ start: newStart, end }, [parent], nowMs)]
  }

  #openShard(id: string): Shard {
    const shard = this.#shards.get(id)
    if (!shard || shard.expired) {
      return refuse('ResourceNotFoundException', `Could not find shard ${id} in ${this.#place()}.`)
    }
    if (!shard.open) {
      refuse(
        'InvalidArgumentException',
        `Shard ${id} in ${this.#place()} is not an open shard: it cannot be resharded.`,
      )
    }
    return shard
  }

  #openAt(key: bigint): Shard {
    let [low, high] = [0, this.#open.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#open[middle]!.range.end < key) low = middle + 1
      else high = middle
    }
    const shard = this.#open[low]!
    if (contains(shard.range, key)) return shard
    return refuse(
      'InvalidArgumentException',
      `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${key}`,
    )
  }

  #addShard(range: HashRange, parents: readonly Shard[], createdMs: number): Shard {
    const shard = new Shard({
      number: this.#shards.size,
      range,
      parents,
      createdMs,
      createdStamp: this.#stamp(createdMs),
      encryption: this.kmsKeyId === undefined ? undefined : 'KMS',
    })
    this.#shards.set(shard.id, shard)
    this.#open = [...this.#open.filter((each) => each.open), shard].sort((a, b) =>
      a.range.start < b.range.start ? -1 : 1,
    )
    return shard
  }

  #place(): string {
    return `stream ${this.name} under account ${this.#account}`
  }
}
