import type { FaultHandle } from '../kinesis/fault.ts'
import type { S3Operation } from './request.ts'
import type { S3ErrorCode } from './service-error.ts'

/** What goes wrong. `delay` and `meanwhile` combine with any other; of the others the first that fires wins. */
export type S3FaultAction =
  /** The service refuses, before the operation was applied (default) or after it. */
  | {
      readonly kind: 'error'
      readonly code: S3ErrorCode
      readonly applied?: boolean
      readonly status?: number
      readonly message?: string
    }
  /** No answer ever; the connection stays open. Default: not applied. */
  | { readonly kind: 'hang'; readonly applied?: boolean }
  /** The connection breaks, before the operation was applied or after it. */
  | { readonly kind: 'reset'; readonly applied: boolean }
  /** The operation is applied, and the connection breaks `keep` bytes into the answer's body (default: half). */
  | { readonly kind: 'truncate'; readonly keep?: number }
  /** The answer's body comes in `pieces` (default 10), `everyMs` of the double's clock apart. */
  | { readonly kind: 'slow'; readonly everyMs: number; readonly pieces?: number }
  /** One bit in the middle of the answer's body is turned over. */
  | { readonly kind: 'corrupt' }
  /** A proxy answers in the service's stead, with a page. Status default 200. */
  | { readonly kind: 'html'; readonly status?: number }
  /** Milliseconds of the double's clock between question and answer. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Something happens while the request is under way, before the operation is applied or after it. */
  | { readonly kind: 'meanwhile'; readonly applied: boolean; readonly run: () => void | Promise<void> }

/** Which calls a fault strikes: those that match every given field. */
export interface S3Fault {
  readonly operation?: S3Operation
  readonly bucket?: string
  readonly key?: string
  /** Keys (of a listing: prefixes) that begin so. */
  readonly under?: string
  /** Only the n-th matching call, counted from 1 since the fault was set. */
  readonly nth?: number
  /** Every n-th matching call. */
  readonly every?: number
  /** Probability per matching call, drawn from the double's clock. */
  readonly chance?: number
  /** At most so many times in all. */
  readonly times?: number
  readonly action: S3FaultAction
}

/** What a call is about, as far as faults and the call log need to know. */
export interface S3Subject {
  readonly operation: S3Operation
  readonly bucket: string
  /** Of a listing, its prefix; empty for DeleteObjects. */
  readonly key: string
}

/** The faults in force, each with its counts. */
export class S3FaultBook {
  readonly #random: () => number
  #rules: { readonly fault: S3Fault; seen: number; fired: number }[] = []

  constructor(random: () => number) {
    this.#random = random
  }

  add(fault: S3Fault): FaultHandle {
    const rule = { fault, seen: 0, fired: 0 }
    this.#rules.push(rule)
    return {
      get fired() {
        return rule.fired
      },
      remove: () => {
        this.#rules = this.#rules.filter((each) => each !== rule)
      },
    }
  }

  clear(): void {
    this.#rules = []
  }

  /** The actions that strike this call, in the order in which the faults were set. */
  strike(subject: S3Subject): readonly S3FaultAction[] {
    const actions: S3FaultAction[] = []
    for (const rule of this.#rules) {
      const { nth, every, chance, times, action } = rule.fault
      if (!matches(rule.fault, subject) || rule.fired >= (times ?? Number.POSITIVE_INFINITY)) continue
      rule.seen++
      if (nth !== undefined && rule.seen !== nth) continue
      if (every !== undefined && rule.seen % every !== 0) continue
      if (chance !== undefined && this.#random() >= chance) continue
      rule.fired++
      actions.push(action)
    }
    return actions
  }
}

function matches({ operation, bucket, key, under }: S3Fault, subject: S3Subject): boolean {
  return (
    (operation === undefined || operation === subject.operation) &&
    (bucket === undefined || bucket === subject.bucket) &&
    (key === undefined || key === subject.key) &&
    (under === undefined || subject.key.startsWith(under))
  )
}
