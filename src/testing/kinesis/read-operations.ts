import { decodeIterator, encodeIterator, type IteratorState } from './iterator-token.ts'
import type { GetRecordsAnswer, InputOf, OutputOf } from './operations.ts'
import { RecordSlice } from './record-slice.ts'
import { parseSequenceNumber } from './sequence-number.ts'
import type { KinesisService } from './service.ts'
import { refuse } from './service-error.ts'
import type { Shard } from './shard.ts'
import type { Stream } from './stream.ts'
import { ANY, matching, NAME, required, SEQUENCE_NUMBER } from './validation.ts'

const ITERATOR_LIFE_MS = 300_000
export const MOST_RECORDS = 10_000
export const MOST_BYTES = 10 * 1024 * 1024

interface Place {
  readonly index: number
  readonly stuck: boolean
}

export function getShardIterator(
  service: KinesisService,
  input: InputOf<'GetShardIterator'>,
): OutputOf<'GetShardIterator'> {
  const shardId = required(input.ShardId, 'shardId')
  matching(shardId, 'shardId', NAME, 128)
  matching(input.StartingSequenceNumber, 'startingSequenceNumber', SEQUENCE_NUMBER, 129)
  const type = required(input.ShardIteratorType, 'shardIteratorType')
  const stream = service.activeStream(input)
  stream.trim(service.now())
  const shard = stream.shard(shardId)
  const numbered = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER'
  if (numbered !== (input.StartingSequenceNumber !== undefined)) refuseStart(input)
  let place: Place = { index: shard.horizon, stuck: false }
  if (type === 'LATEST') place = { index: shard.end, stuck: false }
  if (type === 'AT_TIMESTAMP') place = { index: atTimestamp(service, shard, input.Timestamp), stuck: false }
  if (numbered) place = atSequenceNumber(service, stream, shard, input)
  return { ShardIterator: tokenAt(service, stream, shard, place, 0) }
}

export function getRecords(service: KinesisService, input: InputOf<'GetRecords'>): GetRecordsAnswer {
  const token = required(input.ShardIterator, 'shardIterator')
  matching(token, 'shardIterator', ANY, 512)
  const limit = input.Limit ?? MOST_RECORDS
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_RECORDS) {
    refuse('InvalidArgumentException', `Limit ${limit} is not between 1 and ${MOST_RECORDS}.`)
  }
  const iterator = decodeIterator(token) ?? refuse('InvalidArgumentException', 'Invalid ShardIterator.')
  const { stream, shard } = resolve(service, iterator)
  const now = service.now()
  if (iterator.stuck) {
    const place = { index: iterator.index, stuck: true }
    return emptyAnswer(stream.retentionMs(), shard, tokenAt(service, stream, shard, place, 0))
  }
  const index = Math.max(iterator.index, shard.horizon)
  const hop = index === iterator.index ? iterator.hop : 0
  if (hop < shard.gapAt(index)) {
    const next = tokenAt(service, stream, shard, { index, stuck: false }, hop + 1)
    return emptyAnswer(Math.max(1, behind(shard, index, now)), shard, next)
  }
  const slice = shard.take(index, limit, MOST_BYTES)
  const { to } = slice
  const gapAhead = to > index && shard.gapAt(to) > 0
  const atEnd = !shard.open && to === shard.end && !gapAhead
  const endsHere = atEnd && (service.options.shardEnd === 'with-records' || to === index)
  return {
    Records: slice,
    MillisBehindLatest: behind(shard, to, now),
    ...(endsHere
      ? { ChildShards: shard.children.map((child) => child.describeAsChild()) }
      : {
          NextShardIterator: tokenAt(
            service,
            stream,
            shard,
            { index: to, stuck: false },
            to > index ? 0 : hop,
          ),
        }),
  }
}

/** The stream and shard that an iterator belongs to. @throws ExpiredIterator-, ResourceNotFoundException */
function resolve(service: KinesisService, iterator: IteratorState): { stream: Stream; shard: Shard } {
  const now = service.now()
  if (now - iterator.issuedMs > ITERATOR_LIFE_MS) {
    refuse(
      'ExpiredIteratorException',
      `Iterator expired. The iterator was created at time ${utc(iterator.issuedMs)} while right now it is ${utc(now)} ` +
        `which is further in the future than the tolerated delay of ${ITERATOR_LIFE_MS} milliseconds.`,
    )
  }
  const stream = service.find(iterator.stream)
  if (stream?.createdMs !== iterator.createdMs) {
    return refuse(
      'ResourceNotFoundException',
      `Shard ${iterator.shardId} in stream ${iterator.stream} under account ${service.options.account} does not exist`,
    )
  }
  const found = stream.shard(iterator.shardId)
  found.trimBefore(now - stream.retentionMs())
  return { stream, shard: stream.shard(iterator.shardId) }
}

function atSequenceNumber(
  service: KinesisService,
  stream: Stream,
  shard: Shard,
  input: InputOf<'GetShardIterator'>,
): Place {
  const text = input.StartingSequenceNumber ?? ''
  const index = shard.indexOf(text) ?? refuseForeign(service, stream, shard, text)
  const wanted = input.ShardIteratorType === 'AT_SEQUENCE_NUMBER' ? index : index + 1
  // AFTER the last trimmed record nothing is missing: the next one is the horizon.
  if (wanted >= shard.horizon || shard.horizon === 0)
    return { index: Math.min(Math.max(wanted, 0), shard.end), stuck: false }
  if (service.options.trimmedReads === 'refuse') {
    refuse(
      'InvalidArgumentException',
      `StartingSequenceNumber ${text} used in GetShardIterator on shard ${shard.id} in stream ${stream.name} under ` +
        `account ${service.options.account} is invalid because it is older than the trim horizon of the shard.`,
    )
  }
  return { index: shard.horizon, stuck: service.options.trimmedReads === 'stuck' }
}

function atTimestamp(service: KinesisService, shard: Shard, timestamp: Date | undefined): number {
  const ms = timestamp?.getTime()
  if (ms === undefined) {
    return refuse(
      'InvalidArgumentException',
      'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. ' +
        'Current request has no timestamp parameter.',
    )
  }
  if (ms > service.now()) {
    refuse(
      'InvalidArgumentException',
      'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. ' +
        `timestampInMillis: ${ms}, currentTimestampInMillis: ${service.now()}`,
    )
  }
  return shard.firstAtOrAfter(ms)
}

function refuseStart(input: InputOf<'GetShardIterator'>): never {
  const given = input.StartingSequenceNumber === undefined ? 'no' : 'also a'
  return refuse(
    'InvalidArgumentException',
    'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) ' +
      'TRIM_HORIZON or LATEST and no StartingSequenceNumber. ' +
      `Request specified ${input.ShardIteratorType} and ${given} StartingSequenceNumber.`,
  )
}

function refuseForeign(service: KinesisService, stream: Stream, shard: Shard, text: string): never {
  const used =
    `StartingSequenceNumber ${text} used in GetShardIterator on shard ${shard.id} in stream ${stream.name} ` +
    `under account ${service.options.account} is invalid`
  const parsed = parseSequenceNumber(text)
  if (!parsed) refuse('InvalidArgumentException', `${used}.`)
  const encoded = `shardId-${String(parsed.shardNumber).padStart(12, '0')}`
  if (encoded !== shard.id) {
    refuse(
      'InvalidArgumentException',
      `Invalid StartingSequenceNumber. It encodes ${encoded}, while it was used in a call to a shard with ${shard.id}`,
    )
  }
  return refuse('InvalidArgumentException', `${used} because it did not come from this stream.`)
}

function emptyAnswer(behindMs: number, shard: Shard, next: string): GetRecordsAnswer {
  return { Records: new RecordSlice(shard, 0, 0, 0), MillisBehindLatest: behindMs, NextShardIterator: next }
}

/** 0 only when nothing is left to read: a reader that trusts 0 must not miss records of the same millisecond. */
function behind(shard: Shard, index: number, nowMs: number): number {
  if (index < shard.end) return Math.max(1, nowMs - shard.recordAt(index).arrivedMs)
  return shard.closedMs === undefined ? 0 : Math.max(0, nowMs - shard.closedMs)
}

function tokenAt(service: KinesisService, stream: Stream, shard: Shard, place: Place, hop: number): string {
  return encodeIterator({
    stream: stream.name,
    createdMs: stream.createdMs,
    shardId: shard.id,
    index: place.index,
    hop,
    issuedMs: service.now(),
    stuck: place.stuck,
  })
}

function utc(ms: number): string {
  return new Date(ms).toUTCString()
}
