import type { PutRecordsRequestEntry } from '@aws-sdk/client-kinesis'
import { HASH_KEYS } from './hash-key.ts'
import type { InputOf, OutputOf } from './operations.ts'
import type { KinesisService } from './service.ts'
import { type KinesisServiceError, refuse } from './service-error.ts'
import { type Shard, sizeOf } from './shard.ts'
import type { Stream } from './stream.ts'
import { ANY, HASH_KEY, matching, required, violated } from './validation.ts'

export const MOST_ENTRIES = 500
const MOST_REQUEST_BYTES = 10 * 1024 * 1024

/** Asked before each record goes into its shard; an error keeps that record out. `entry` counts from 0. */
export type WriteGate = (
  stream: Stream,
  shard: Shard,
  bytes: number,
  entry: number,
) => KinesisServiceError | undefined

const openGate: WriteGate = () => undefined

export function putRecord(
  service: KinesisService,
  input: InputOf<'PutRecord'>,
  gate = openGate,
): OutputOf<'PutRecord'> {
  const stream = service.activeStream(input)
  checkEntry(stream, input, '')
  const put = append(service, stream, input, 0, gate)
  if (put.refusal) throw put.refusal
  return { ShardId: put.shardId, SequenceNumber: put.sequenceNumber, EncryptionType: encryptionOf(stream) }
}

export function putRecords(
  service: KinesisService,
  input: InputOf<'PutRecords'>,
  gate = openGate,
): OutputOf<'PutRecords'> {
  const entries = required(input.Records, 'records')
  if (entries.length < 1 || entries.length > MOST_ENTRIES) {
    const rule = entries.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${MOST_ENTRIES}`
    violated(`[${entries.length} entries]`, 'records', `Member must have length ${rule}`)
  }
  const stream = service.activeStream(input)
  for (const [i, entry] of entries.entries()) checkEntry(stream, entry, `records.${i + 1}.member.`)
  const bytes = entries.reduce(
    (sum, entry) => sum + (entry.Data?.length ?? 0) + (entry.PartitionKey?.length ?? 0),
    0,
  )
  if (bytes > MOST_REQUEST_BYTES) {
    refuse('InvalidArgumentException', `Records size exceeds 10 MB limit: ${bytes} bytes.`)
  }
  const results = entries.map((entry, i) => append(service, stream, entry, i, gate))
  return {
    FailedRecordCount: results.filter((result) => result.refusal).length,
    Records: results.map(({ shardId, sequenceNumber, refusal }) =>
      refusal
        ? { ErrorCode: refusal.name, ErrorMessage: refusal.message }
        : { ShardId: shardId, SequenceNumber: sequenceNumber },
    ),
    EncryptionType: encryptionOf(stream),
  }
}

interface Appended {
  readonly shardId?: string
  readonly sequenceNumber?: string
  readonly refusal?: KinesisServiceError
}

function append(
  service: KinesisService,
  stream: Stream,
  entry: PutRecordsRequestEntry,
  position: number,
  gate: WriteGate,
): Appended {
  const shard = stream.shardFor(entry.PartitionKey, entry.ExplicitHashKey)
  const record = {
    partitionKey: entry.PartitionKey,
    data: entry.Data ?? new Uint8Array(),
    arrivedMs: service.now(),
  }
  const refusal = gate(stream, shard, sizeOf(record), position)
  return refusal ? { refusal } : { shardId: shard.id, sequenceNumber: shard.append(record) }
}

function checkEntry(stream: Stream, entry: PutRecordsRequestEntry, path: string): void {
  const data = required(entry.Data, `${path}data`)
  if (stream.distribution !== 'AUTO') required(entry.PartitionKey, `${path}partitionKey`)
  matching(entry.PartitionKey, `${path}partitionKey`, ANY, 256)
  matching(entry.ExplicitHashKey, `${path}explicitHashKey`, HASH_KEY, 39)
  const most = stream.maxRecordSizeInKiB * 1024
  if (data.length > most) {
    violated(`[${data.length} bytes]`, `${path}data`, `Member must have length less than or equal to ${most}`)
  }
  if (entry.ExplicitHashKey !== undefined && BigInt(entry.ExplicitHashKey) >= HASH_KEYS) {
    refuse(
      'InvalidArgumentException',
      'Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. ' +
        `Specified value was ${entry.ExplicitHashKey}`,
    )
  }
}

function encryptionOf(stream: Stream): 'KMS' | 'NONE' {
  return stream.kmsKeyId === undefined ? 'NONE' : 'KMS'
}
