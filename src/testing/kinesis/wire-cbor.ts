import { readCbor } from './cbor-reader.ts'
import { type CborOptions, CborWriter } from './cbor-writer.ts'
import { EncodedRecords, type EncodedRun } from './encoded-records.ts'
import { readInput, type WireScalars } from './input-members.ts'
import { RecordSlice } from './record-slice.ts'
import type { Shard } from './shard.ts'
import type { Wire } from './wire.ts'

/** CBOR 1.1: data as raw bytes, times as tag 1 around milliseconds. */
export function cborWire(options: CborOptions): Wire {
  const encoded = new EncodedRecords((shard, from, to) => encodeRun(shard, from, to, options))
  return {
    format: 'cbor',
    contentType: 'application/x-amz-cbor-1.1',
    decode: (body) => readInput(readCbor(body), scalars),
    encode: (answer) => {
      const { Records: records, ...rest } = answer as { readonly Records?: unknown }
      if (!(records instanceof RecordSlice)) return [written(options, (writer) => writer.value(answer))]
      const members = Object.entries(rest).filter(([, member]) => member !== undefined)
      const head = written(options, (writer) => {
        writer.map(members.length + 1)
        for (const [name, member] of members) {
          writer.text(name)
          writer.value(member)
        }
        writer.text('Records')
        writer.list(records.length)
      })
      const tail = written(options, (writer) => {
        writer.end()
        writer.end()
      })
      return [head, ...encoded.of(records), tail]
    },
  }
}

const scalars: WireScalars = {
  blob: (value) => (value instanceof Uint8Array ? value : undefined),
  // Untagged numbers are milliseconds too, as older clients send them.
  timestamp: (value) =>
    value instanceof Date ? value : typeof value === 'number' ? new Date(value) : undefined,
}

function encodeRun(shard: Shard, from: number, to: number, options: CborOptions): EncodedRun {
  const starts = [0]
  const bytes = written(options, (writer) => {
    for (let i = from; i < to; i++) {
      const { arrivedMs, data, partitionKey } = shard.recordAt(i)
      writer.map(3 + Number(partitionKey !== undefined) + Number(shard.encryption !== undefined))
      writer.text('SequenceNumber')
      writer.text(shard.sequenceNumberAt(i))
      writer.text('ApproximateArrivalTimestamp')
      writer.time(arrivedMs)
      writer.text('Data')
      writer.bytes(data)
      if (partitionKey !== undefined) {
        writer.text('PartitionKey')
        writer.text(partitionKey)
      }
      if (shard.encryption !== undefined) {
        writer.text('EncryptionType')
        writer.text(shard.encryption)
      }
      writer.end()
      starts.push(writer.length)
    }
  })
  return { bytes, starts }
}

function written(options: CborOptions, write: (writer: CborWriter) => void): Uint8Array {
  const writer = new CborWriter(options)
  write(writer)
  return writer.finish()
}
