import type { RetryLimits } from '../backoff.ts'
import type { OptionsOf, OptionTable } from '../options.ts'

/** Of a sink whose target may be away for a while. */
export const RETRY_OPTIONS = {
  retryInterval: {
    kind: 'duration',
    doc: 'first ceiling of the random wait after a failure that may pass; it doubles with each further one',
    default: '200ms',
    min: 1,
  },
  maxRetryInterval: {
    kind: 'duration',
    doc: 'highest ceiling of the random wait after a failure',
    default: '10s',
    min: 1,
  },
  maxRetryTime: {
    kind: 'duration',
    doc: 'how long what may pass may keep failing before the batch fails',
    default: '1m',
  },
} as const satisfies OptionTable

export function retryLimits(options: OptionsOf<typeof RETRY_OPTIONS>): RetryLimits {
  return {
    firstMs: options.retryInterval,
    ceilingMs: options.maxRetryInterval,
    giveUpMs: options.maxRetryTime,
  }
}
