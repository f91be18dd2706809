import type { _Record } from '@aws-sdk/client-kinesis'
import type { Shard } from './shard.ts'

/** Some consecutive records of a shard, by their indexes in its log: what one GetRecords answer holds. */
export class RecordSlice {
  readonly shard: Shard
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Of data and partition keys, as the service counts its 10 MiB. */
  readonly bytes: number
  /** Whether the 10 MiB cap ended the answer. */
  readonly capped: boolean

  constructor(shard: Shard, from: number, to: number, bytes: number, capped = false) {
    this.shard = shard
    this.from = from
    this.to = to
    this.bytes = bytes
    this.capped = capped
  }

  get length(): number {
    return this.to - this.from
  }

  toRecords(): _Record[] {
    return Array.from({ length: this.length }, (_, i) => {
      const record = this.shard.recordAt(this.from + i)
      return {
        SequenceNumber: this.shard.sequenceNumberAt(this.from + i),
        ApproximateArrivalTimestamp: new Date(record.arrivedMs),
        Data: record.data,
        ...(record.partitionKey === undefined ? {} : { PartitionKey: record.partitionKey }),
        ...(this.shard.encryption === undefined ? {} : { EncryptionType: this.shard.encryption }),
      }
    })
  }
}
