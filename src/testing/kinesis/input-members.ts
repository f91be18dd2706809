import type { InputOf, OperationName } from './operations.ts'
import { refuse } from './service-error.ts'

type Kind = 'text' | 'number' | 'blob' | 'timestamp' | 'structure' | 'list'

/** How the members of inputs are typed on the wire; others are ignored, as the service does. */
const MEMBERS: Readonly<Record<string, Kind>> = {
  AdjacentShardToMerge: 'text',
  Data: 'blob',
  ExclusiveStartShardId: 'text',
  ExclusiveStartStreamName: 'text',
  ExplicitHashKey: 'text',
  Limit: 'number',
  MaxRecordSizeInKiB: 'number',
  MaxResults: 'number',
  NewStartingHashKey: 'text',
  NextToken: 'text',
  PartitionKey: 'text',
  RecordDistributionStrategy: 'text',
  Records: 'list',
  RetentionPeriodHours: 'number',
  ScalingType: 'text',
  ShardCount: 'number',
  ShardFilter: 'structure',
  ShardId: 'text',
  ShardIterator: 'text',
  ShardIteratorType: 'text',
  ShardToMerge: 'text',
  ShardToSplit: 'text',
  StartingSequenceNumber: 'text',
  StreamARN: 'text',
  StreamCreationTimestamp: 'timestamp',
  StreamMode: 'text',
  StreamModeDetails: 'structure',
  StreamName: 'text',
  TargetShardCount: 'number',
  Timestamp: 'timestamp',
  Type: 'text',
}

/** What differs between the formats; undefined stands for "not such a value". */
export interface WireScalars {
  blob(value: unknown): Uint8Array | undefined
  timestamp(value: unknown): Date | undefined
}

/** A decoded body as an operation's input. @throws KinesisServiceError SerializationException */
export function readInput(body: unknown, scalars: WireScalars): InputOf<OperationName> {
  return readStructure(body, scalars) as InputOf<OperationName>
}

function readStructure(value: unknown, scalars: WireScalars): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('SerializationException', 'Start of structure or map expected.')
  }
  const input: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    const kind = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined
    if (kind === undefined || member === null || member === undefined) continue
    const read = readMember(kind, member, scalars)
    if (read === undefined)
      refuse('SerializationException', `The value of ${name} can not be converted to a ${kind}`)
    input[name] = read
  }
  return input
}

function readMember(kind: Kind, value: unknown, scalars: WireScalars): unknown {
  switch (kind) {
    case 'text':
      return typeof value === 'string' ? value : undefined
    case 'number':
      return typeof value === 'number' ? value : undefined
    case 'structure':
      return readStructure(value, scalars)
    case 'list':
      return Array.isArray(value) ? value.map((entry) => readStructure(entry, scalars)) : undefined
    default:
      return scalars[kind](value)
  }
}
