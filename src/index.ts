export { Column, type Operand } from './api/column.ts'
export { DataReader } from './api/data-reader.ts'
export { DataFrame } from './api/dataframe.ts'
export type { DeadLetterOptions, LetterKind } from './api/dead-letters.ts'
export * from './api/functions.ts'
export { GroupedData } from './api/grouped-data.ts'
export type { JoinKind } from './api/join-kind.ts'
export {
  type Fields,
  type FlatGroupOptions,
  type GroupFunction,
  type GroupOptions,
  GroupState,
  type GroupTimeout,
  KeyedGroups,
} from './api/keyed-groups.ts'
export type { DropOptions, Fill } from './api/missing-values.ts'
export { StreamingQuery } from './api/query.ts'
export { DataStreamReader, type PayloadSchema } from './api/reader.ts'
export { Session, type SessionOptions } from './api/session.ts'
export {
  type Dropped,
  type Fork,
  type Rewind,
  type StoredBatch,
  StoredCheckpoint,
  type StoredCheckpointOptions,
  type StoredQuery,
  type Verdict,
} from './api/stored-checkpoint.ts'
export { StreamingQueries } from './api/streaming-queries.ts'
export { type UdfOptions, UdfRegistration } from './api/udf.ts'
export { DataStreamWriter } from './api/writer.ts'
export type { Batch, Field, Position, Range, Schema } from './batch.ts'
export { type Clock, systemClock } from './clock.ts'
export type { Relation, Row } from './duckdb.ts'
export { type Progress, progressChannel, type Status } from './engine/progress.ts'
export type { TriggerSetting } from './engine/trigger.ts'
export { ERRORS, type ErrorCode, hasCode, SluiceError } from './errors.ts'
export type { Logger } from './log.ts'
export { type GivenOptions, type OptionTable, type OptionValue, parseOptions } from './options.ts'
export type { OutputMode } from './output-mode.ts'
export type { ForeachWriter } from './sinks/foreach.ts'
export type { BatchRows, ForeachBatch } from './sinks/foreach-batch.ts'
export type { Guarantee, RefusedRow, Sink, SinkContext, SinkFormat } from './sinks/sink.ts'
export type { Read, Source, SourceContext, SourceFormat } from './sources/source.ts'
