import type { Counters } from './counters.ts'
import { deaggregate, hashKeyOf, type SubRecord } from './deaggregate.ts'
import type { HashRange, StoredRecord } from './kinesis-port.ts'
import { compareSequence, type SequencePosition } from './position.ts'

/** A record as users see it: one stored record, or one sub-record of an aggregate. */
export interface Row {
  readonly sequenceNumber: string
  /** Index within its aggregate; undefined for a record that is none. */
  readonly subSequenceNumber: number | undefined
  readonly partitionKey: string | undefined
  readonly data: Uint8Array
  readonly arrivedMs: number | undefined
  /** No other row comes from the same stored record after this one. */
  readonly last: boolean
}

/** The position just after `row`. */
export function positionAfter(row: Row): SequencePosition {
  return {
    sequenceNumber: row.sequenceNumber,
    ...(row.last || row.subSequenceNumber === undefined ? {} : { subSequenceNumber: row.subSequenceNumber }),
    ...(row.arrivedMs === undefined ? {} : { arrivedMs: row.arrivedMs }),
  }
}

/** Whether `row` comes after `position`, in the order of its shard. */
export function isAfter(row: Row, position: SequencePosition): boolean {
  const order = compareSequence(row.sequenceNumber, position.sequenceNumber)
  if (order !== 0) return order > 0
  if (position.inclusive) return true
  return position.subSequenceNumber !== undefined && (row.subSequenceNumber ?? 0) > position.subSequenceNumber
}

/**
 * The rows of one stored record, in order.
 *
 * An aggregate with a sub-record outside the hash range of its shard was sent while the stream was being resharded;
 * the producer's library sends all of it again to where it belongs, so all of it is dropped here, as the KCL does.
 *
 * @param hashRange of the shard; undefined when records are placed without regard to their keys
 */
export function rowsOf(
  record: StoredRecord,
  hashRange: HashRange | undefined,
  counters: Counters,
): readonly Row[] {
  const { sequenceNumber, arrivedMs } = record
  const parts = deaggregate(record.data)
  if (parts === 'corrupt') counters.corruptAggregates++
  if (parts === 'plain' || parts === 'corrupt') {
    const { partitionKey, data } = record
    return [{ sequenceNumber, subSequenceNumber: undefined, partitionKey, data, arrivedMs, last: true }]
  }
  if (hashRange && !parts.every((part) => liesIn(hashRange, part))) {
    counters.misplacedAggregates++
    return []
  }
  return parts.map(({ partitionKey, data }, index) => {
    const last = index === parts.length - 1
    return { sequenceNumber, subSequenceNumber: index, partitionKey, data, arrivedMs, last }
  })
}

function liesIn(range: HashRange, part: SubRecord): boolean {
  const key = hashKeyOf(part)
  return range.start <= key && key <= range.end
}
