export { MemoryStream } from '../sources/memory.ts'
export type { Check } from './check.ts'
export type { Credentials } from './kinesis/authorization.ts'
export type { Call } from './kinesis/call-log.ts'
export {
  type Ack,
  KinesisDouble,
  type KinesisDoubleOptions,
  type PlainRecord,
  type StreamOptions,
} from './kinesis/double.ts'
export type { Fault, FaultAction, FaultHandle } from './kinesis/fault.ts'
export type { KinesisEndpoint, ListenOptions } from './kinesis/http-server.ts'
export { type AggregatedRecord, aggregate, sealAggregate } from './kinesis/kpl-aggregate.ts'
export type { LimitKind } from './kinesis/limits.ts'
export type { InputOf, OperationName, OutputOf } from './kinesis/operations.ts'
export { KinesisServiceError, type ServiceErrorCode } from './kinesis/service-error.ts'
export { TransportError } from './kinesis/transport-error.ts'
export { ManualClock, type ManualClockOptions } from './manual-clock.ts'
export type { S3Call } from './s3/call-log.ts'
export { S3Double, type S3DoubleOptions } from './s3/double.ts'
export type { S3Fault, S3FaultAction, S3Subject } from './s3/fault.ts'
export type { S3Endpoint, S3ListenOptions } from './s3/http-server.ts'
export type { StoredObject } from './s3/object-store.ts'
export type { S3Operation } from './s3/request.ts'
export type { S3ErrorCode } from './s3/service-error.ts'
export { type SeededRandom, seededRandom } from './seeded-random.ts'
export { type SinkCheckSettings, sinkChecks } from './sink-checks.ts'
export type { SinkUnderTest } from './sink-under-test.ts'
export { type SourceUnderTest, sourceChecks } from './source-checks.ts'
