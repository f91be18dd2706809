import type { ChildShard, Shard as ShardOutput } from '@aws-sdk/client-kinesis'
import type { HashRange } from './hash-key.ts'
import { RecordSlice } from './record-slice.ts'
import { LAST_COUNTER, parseSequenceNumber, sequenceNumbersOf } from './sequence-number.ts'

export interface StoredRecord {
  /** Absent when a producer of an AUTO-distributed stream gave none. */
  readonly partitionKey: string | undefined
  readonly data: Uint8Array
  /** Server time, epoch milliseconds. */
  readonly arrivedMs: number
}

export interface ShardBirth {
  readonly number: number
  readonly range: HashRange
  readonly parents: readonly Shard[]
  readonly createdMs: number
  /** Seconds; goes into every sequence number of the shard. */
  readonly createdStamp: number
  readonly encryption: 'KMS' | undefined
}

/**
 * One shard: an append-only log with a trimmed front, its place in the hash key space and in the lineage.
 *
 * Invariant: a record keeps its index for ever; `horizon <= index < end` are readable.
 */
export class Shard {
  readonly id: string
  readonly range: HashRange
  readonly parents: readonly Shard[]
  readonly createdMs: number
  readonly createdStamp: number
  readonly encryption: 'KMS' | undefined
  readonly number: number
  readonly children: Shard[] = []
  readonly #sequenceNumber: (counter: number | bigint, arrived: number) => string
  readonly #gaps = new Map<number, number>()
  #records: StoredRecord[] = []
  #horizon = 0
  #closedMs: number | undefined
  #expired = false

  constructor(birth: ShardBirth) {
    this.number = birth.number
    this.id = `shardId-${String(birth.number).padStart(12, '0')}`
    this.range = birth.range
    this.parents = birth.parents
    this.createdMs = birth.createdMs
    this.createdStamp = birth.createdStamp
    this.encryption = birth.encryption
    this.#sequenceNumber = sequenceNumbersOf(birth.createdStamp, birth.number)
    for (const parent of birth.parents) parent.children.push(this)
  }

  /** Index of the oldest readable record. */
  get horizon(): number {
    return this.#horizon
  }

  /** One past the index of the newest record. */
  get end(): number {
    return this.#horizon + this.#records.length
  }

  get closedMs(): number | undefined {
    return this.#closedMs
  }

  get open(): boolean {
    return this.#closedMs === undefined
  }

  /** Closed, and all it held is trimmed: the service no longer knows it. */
  get expired(): boolean {
    return this.#expired
  }

  append(record: StoredRecord): string {
    this.#records.push(record)
    return this.sequenceNumberAt(this.end - 1)
  }

  close(nowMs: number): void {
    this.#closedMs = nowMs
  }

  recordAt(index: number): StoredRecord {
    return this.#records[index - this.#horizon]!
  }

  /** The counter of a sequence number is the index plus one, so that none equals the shard's starting number. */
  sequenceNumberAt(index: number): string {
    return this.#sequenceNumber(index + 1, Math.floor(this.recordAt(index).arrivedMs / 1000))
  }

  /** The index that a sequence number of this shard stands for, also when trimmed; undefined for a foreign one. */
  indexOf(sequenceNumber: string): number | undefined {
    const parsed = parseSequenceNumber(sequenceNumber)
    if (!parsed || parsed.shardNumber !== this.number || parsed.shardCreated !== this.createdStamp)
      return undefined
    return Math.min(parsed.counter - 1, this.end)
  }

  /** The first record that arrived at or after `ms`; arrival times need not be in order. */
  firstAtOrAfter(ms: number): number {
    const offset = this.#records.findIndex((record) => record.arrivedMs >= ms)
    return offset < 0 ? this.end : this.#horizon + offset
  }

  /** A sparse stretch before the next record: iterators that get there need `hops` empty answers to cross it. */
  addGap(hops: number): void {
    this.#gaps.set(this.end, (this.#gaps.get(this.end) ?? 0) + hops)
  }

  gapAt(index: number): number {
    return this.#gaps.get(index) ?? 0
  }

  /** How many records from `from` one answer takes: at most `limit`, up to `maxBytes` (but one), up to a gap. */
  take(from: number, limit: number, maxBytes: number): RecordSlice {
    let bytes = 0
    let to = from
    let capped = false
    const stop = Math.min(this.end, from + limit)
    while (to < stop) {
      const size = sizeOf(this.recordAt(to))
      capped = bytes + size > maxBytes
      if (to > from && (capped || this.#gaps.has(to))) break
      bytes += size
      to++
    }
    return new RecordSlice(this, from, to, bytes, capped)
  }

  trimTo(index: number): void {
    const drop = Math.min(index, this.end) - this.#horizon
    if (drop <= 0) return
    this.#records.splice(0, drop)
    this.#horizon += drop
  }

  /** Forgets what arrived before `cutoffMs`, and the shard itself when it had closed by then. */
  trimBefore(cutoffMs: number): void {
    const keep = this.#records.findIndex((record) => record.arrivedMs >= cutoffMs)
    this.trimTo(keep < 0 ? this.end : this.#horizon + keep)
    if (this.#closedMs !== undefined && this.#closedMs < cutoffMs) this.expire()
  }

  expire(): void {
    this.trimTo(this.end)
    this.#expired = true
  }

  describe(): ShardOutput {
    const [parent, adjacent] = this.parents
    const starting = this.#sequenceNumber(0, this.createdStamp)
    return {
      ShardId: this.id,
      ...(parent ? { ParentShardId: parent.id } : {}),
      ...(adjacent ? { AdjacentParentShardId: adjacent.id } : {}),
      HashKeyRange: describeRange(this.range),
      SequenceNumberRange: {
        StartingSequenceNumber: starting,
        ...(this.#closedMs === undefined
          ? {}
          : { EndingSequenceNumber: this.#sequenceNumber(LAST_COUNTER, Math.floor(this.#closedMs / 1000)) }),
      },
    }
  }

  describeAsChild(): ChildShard {
    return {
      ShardId: this.id,
      ParentShards: this.parents.map((parent) => parent.id),
      HashKeyRange: describeRange(this.range),
    }
  }
}

export function sizeOf(record: StoredRecord): number {
  return record.data.length + Buffer.byteLength(record.partitionKey ?? '')
}

function describeRange(range: HashRange): { StartingHashKey: string; EndingHashKey: string } {
  return { StartingHashKey: range.start.toString(), EndingHashKey: range.end.toString() }
}
