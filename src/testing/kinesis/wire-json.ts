import { EncodedRecords, type EncodedRun } from './encoded-records.ts'
import { readInput, type WireScalars } from './input-members.ts'
import { RecordSlice } from './record-slice.ts'
import { refuse } from './service-error.ts'
import type { Shard } from './shard.ts'
import type { Wire } from './wire.ts'

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** JSON 1.1: data in base64, times in seconds since the epoch with milliseconds as a fraction. */
export function jsonWire(): Wire {
  const encoded = new EncodedRecords(encodeRun)
  return {
    format: 'json',
    contentType: 'application/x-amz-json-1.1',
    decode: (body) => readInput(parse(body), scalars),
    encode: (answer) => {
      const { Records: records, ...rest } = answer as { readonly Records?: unknown }
      if (!(records instanceof RecordSlice)) return [Buffer.from(JSON.stringify(plain(answer)))]
      const head = JSON.stringify(plain(rest)).slice(0, -1)
      const parts = encoded.of(records)
      // Every encoded record begins with a comma; the first one's is not wanted.
      const first = parts[0]
      if (first) parts[0] = first.subarray(1)
      return [Buffer.from(`${head}${head === '{' ? '' : ','}"Records":[`), ...parts, Buffer.from(']}')]
    },
  }
}

const scalars: WireScalars = {
  blob: (value) => {
    if (typeof value !== 'string' || value.length % 4 !== 0 || !BASE64.test(value)) return undefined
    return Buffer.from(value, 'base64')
  },
  timestamp: (value) => (typeof value === 'number' ? new Date(Math.round(value * 1000)) : undefined),
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return refuse('SerializationException', 'The body is not JSON.')
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000
  if (value instanceof Uint8Array) return base64(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

function encodeRun(shard: Shard, from: number, to: number): EncodedRun {
  const texts: string[] = []
  const starts = [0]
  const encryption = shard.encryption === undefined ? '' : `,"EncryptionType":"${shard.encryption}"`
  let end = 0
  for (let i = from; i < to; i++) {
    const { arrivedMs, data, partitionKey } = shard.recordAt(i)
    const key = partitionKey === undefined ? '' : `,"PartitionKey":${JSON.stringify(partitionKey)}`
    const text =
      `,{"SequenceNumber":"${shard.sequenceNumberAt(i)}","ApproximateArrivalTimestamp":${arrivedMs / 1000},` +
      `"Data":"${base64(data)}"${key}${encryption}}`
    end += Buffer.byteLength(text)
    starts.push(end)
    texts.push(text)
  }
  return { bytes: Buffer.from(texts.join('')), starts }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
