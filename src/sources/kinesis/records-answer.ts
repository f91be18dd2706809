import type { ChildShard } from '@aws-sdk/client-kinesis'
import { CborReader, type CborValue } from './cbor.ts'
import { findRecords } from './cbor-records.ts'
import type { StoredRecord } from './kinesis-port.ts'
import type { RawAnswer } from './records-over-cbor.ts'
import { StoredRecords } from './stored-records.ts'

/** An answer to GetRecords, as far as a reader of shards cares; undefined where a member was missing. */
export interface RecordsAnswer {
  readonly records: StoredRecords | undefined
  readonly nextIterator: string | undefined
  readonly millisBehindLatest: number | undefined
  readonly children: readonly ChildShard[]
}

/**
 * Reads the CBOR body of an answer, its records without spelling them out where they can be left as they are.
 *
 * @throws CBOR_MALFORMED
 */
export function readAnswer({ bytes, length }: RawAnswer): RecordsAnswer {
  const reader = new CborReader(bytes.subarray(0, length))
  const rest = new Map<string, CborValue>()
  let records: StoredRecords | undefined
  const members = reader.enter('map')
  while (reader.more(members)) {
    const name = reader.text()
    if (name !== 'Records') {
      rest.set(name, reader.value())
      continue
    }
    if (records) reader.refuse('a second list of records')
    const found = findRecords(bytes, length, reader.at)
    records = found?.records ?? spelledOut(reader)
    if (found) reader.at = found.end
  }
  reader.end()
  const [next, behind, children] = ['NextShardIterator', 'MillisBehindLatest', 'ChildShards'].map((name) =>
    rest.get(name),
  )
  return {
    records,
    nextIterator: typeof next === 'string' ? next : undefined,
    millisBehindLatest: typeof behind === 'number' ? behind : undefined,
    children: Array.isArray(children) ? (children as unknown as readonly ChildShard[]) : [],
  }
}

/** However the records are written, as long as it is CBOR. */
function spelledOut(reader: CborReader): StoredRecords {
  const list = reader.value()
  if (!Array.isArray(list)) return reader.refuse('no list of records')
  return StoredRecords.of(
    list.map((each) => storedRecord(each) ?? reader.refuse('a record without its data')),
  )
}

function storedRecord(value: CborValue): StoredRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const {
    SequenceNumber,
    Data,
    PartitionKey,
    ApproximateArrivalTimestamp: arrived,
  } = value as Record<string, CborValue>
  // A stand-in is known that writes its data as in JSON.
  const data = typeof Data === 'string' ? Buffer.from(Data, 'base64') : Data
  if (typeof SequenceNumber !== 'string' || !(data instanceof Uint8Array)) return undefined
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: typeof PartitionKey === 'string' ? PartitionKey : undefined,
    data,
    arrivedMs: typeof arrived === 'number' ? Math.round(arrived) : undefined,
  }
}
