import type {
  _Record,
  CreateStreamInput,
  DecreaseStreamRetentionPeriodInput,
  DeleteStreamInput,
  DescribeStreamInput,
  DescribeStreamOutput,
  DescribeStreamSummaryInput,
  DescribeStreamSummaryOutput,
  GetRecordsInput,
  GetRecordsOutput,
  GetShardIteratorInput,
  GetShardIteratorOutput,
  IncreaseStreamRetentionPeriodInput,
  ListShardsInput,
  ListShardsOutput,
  ListStreamsInput,
  ListStreamsOutput,
  MergeShardsInput,
  PutRecordInput,
  PutRecordOutput,
  PutRecordsInput,
  PutRecordsOutput,
  SplitShardInput,
  UpdateShardCountInput,
  UpdateShardCountOutput,
} from '@aws-sdk/client-kinesis'
import type { RecordSlice } from './record-slice.ts'

/** The part of the Kinesis API that consumers and producers need, typed as the AWS SDK types it. */
export interface Operations {
  CreateStream: { input: CreateStreamInput; output: Nothing }
  DecreaseStreamRetentionPeriod: { input: DecreaseStreamRetentionPeriodInput; output: Nothing }
  DeleteStream: { input: DeleteStreamInput; output: Nothing }
  DescribeStream: { input: DescribeStreamInput; output: DescribeStreamOutput }
  DescribeStreamSummary: { input: DescribeStreamSummaryInput; output: DescribeStreamSummaryOutput }
  GetRecords: { input: GetRecordsInput; output: GetRecordsOutput }
  GetShardIterator: { input: GetShardIteratorInput; output: GetShardIteratorOutput }
  IncreaseStreamRetentionPeriod: { input: IncreaseStreamRetentionPeriodInput; output: Nothing }
  ListShards: { input: ListShardsInput; output: ListShardsOutput }
  ListStreams: { input: ListStreamsInput; output: ListStreamsOutput }
  MergeShards: { input: MergeShardsInput; output: Nothing }
  PutRecord: { input: PutRecordInput; output: PutRecordOutput }
  PutRecords: { input: PutRecordsInput; output: PutRecordsOutput }
  SplitShard: { input: SplitShardInput; output: Nothing }
  UpdateShardCount: { input: UpdateShardCountInput; output: UpdateShardCountOutput }
}

export type OperationName = keyof Operations
export type InputOf<O extends OperationName> = Operations[O]['input']
export type OutputOf<O extends OperationName> = Operations[O]['output']

/** An answer before its records are spelled out, so that a front end may send bytes it encoded earlier. */
export type AnswerOf<O extends OperationName> = O extends 'GetRecords' ? GetRecordsAnswer : OutputOf<O>

export type GetRecordsAnswer = Omit<GetRecordsOutput, 'Records'> & {
  readonly Records: RecordSlice | _Record[]
}

export type Nothing = Readonly<Record<string, never>>
