import type { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import type { Fault } from '../../../src/testing/kinesis/fault.ts'

/** What goes wrong with a service on a bad day, all day long. */
const FAULTS: Readonly<Record<string, Fault>> = {
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

/** Sets all of it on; answers a function that says how often each struck. */
export function weather(double: KinesisDouble): () => readonly string[] {
  const handles = Object.entries(FAULTS).map(([name, fault]) => ({ name, handle: double.fault(fault) }))
  return () => handles.map(({ name, handle }) => `${name} ${handle.fired}`)
}
