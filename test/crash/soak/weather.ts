import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { Fault } from '../../../src/testing/kinesis/fault.ts'
import type { S3Double } from '../../../src/testing/s3/double.ts'
import type { S3Fault } from '../../../src/testing/s3/fault.ts'

/** What goes wrong with the services on a bad day, all day long. */
const KINESIS: Readonly<Record<string, Fault>> = {
  throttled: {
    operation: 'GetRecords',
    chance: 0.05,
    action: { kind: 'error', code: 'ProvisionedThroughputExceededException' },
  },
  'lists throttled': {
    operation: 'ListShards',
    chance: 0.05,
    action: { kind: 'error', code: 'LimitExceededException' },
  },
  'iterators expired': {
    operation: 'GetRecords',
    chance: 0.005,
    action: { kind: 'error', code: 'ExpiredIteratorException' },
  },
  'failed inside': { chance: 0.01, action: { kind: 'error', code: 'InternalFailure' } },
  'reset before': { chance: 0.005, action: { kind: 'reset', applied: false } },
  'reset after': { chance: 0.005, action: { kind: 'reset', applied: true } },
  truncated: { operation: 'GetRecords', chance: 0.005, action: { kind: 'truncate' } },
  slow: { chance: 0.01, action: { kind: 'delay', ms: 500 } },
  hung: { chance: 0.001, action: { kind: 'hang' } },
  empty: {
    operation: 'GetRecords',
    chance: 0.02,
    action: { kind: 'empty', millisBehindLatest: 1000 },
  },
}

const S3: Readonly<Record<string, S3Fault>> = {
  'slow down': { chance: 0.01, action: { kind: 'error', code: 'SlowDown' } },
  'failed inside': { chance: 0.005, action: { kind: 'error', code: 'InternalError' } },
  'failed after it was done': {
    chance: 0.005,
    action: { kind: 'error', code: 'InternalError', applied: true },
  },
  'reset before': { chance: 0.005, action: { kind: 'reset', applied: false } },
  'answer lost': { chance: 0.01, action: { kind: 'reset', applied: true } },
  truncated: { operation: 'GetObject', chance: 0.01, action: { kind: 'truncate' } },
  hung: { chance: 0.0005, action: { kind: 'hang' } },
}

/** Sets all of it on; answers a function that says how often each struck. */
export function weather(kinesis: KinesisDouble, s3: S3Double): () => readonly string[] {
  const handles = [
    ...Object.entries(KINESIS).map(([name, fault]) => ({ name, handle: kinesis.fault(fault) })),
    ...Object.entries(S3).map(([name, fault]) => ({ name: `S3 ${name}`, handle: s3.fault(fault) })),
  ]
  return () => handles.map(({ name, handle }) => `${name} ${handle.fired}`)
}
