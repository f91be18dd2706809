import type { AnswerOf, OperationName } from './operations.ts'
import type { ServiceErrorCode } from './service-error.ts'

/** What goes wrong. `delay` combines with any other; of the others the first that fires wins. */
export type FaultAction =
  /** The service refuses; `message` defaults to the service's words for that code. */
  | { readonly kind: 'error'; readonly code: ServiceErrorCode; readonly message?: string }
  /** No answer ever; the connection stays open. */
  | { readonly kind: 'hang' }
  /** The connection breaks, before the operation was applied or after it. */
  | { readonly kind: 'reset'; readonly applied: boolean }
  /** The operation is applied, and the connection breaks `keep` bytes into the answer (default: half of it). */
  | { readonly kind: 'truncate'; readonly keep?: number }
  /** A proxy answers in the service's stead, with a page. Status default 200. */
  | { readonly kind: 'html'; readonly status?: number }
  /** Milliseconds of the double's clock between question and answer. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** GetRecords: no records although there may be some; the next iterator stands where this one did. */
  | { readonly kind: 'empty'; readonly millisBehindLatest: number }
  /** GetRecords: an answer with neither a next iterator nor children, which says nothing at all. */
  | { readonly kind: 'malformed-end' }
  /** PutRecords: every `every`-th entry fails with `code`, the others are put. */
  | { readonly kind: 'reject-entries'; readonly every: number; readonly code: ServiceErrorCode }
  /** The answer is applied and then tampered with. */
  | { readonly kind: 'edit'; readonly change: (answer: AnswerOf<OperationName>) => AnswerOf<OperationName> }

/** Which calls a fault strikes: those that match every given field. */
export interface Fault {
  readonly operation?: OperationName
  readonly stream?: string
  readonly shardId?: string
  /** Only the n-th matching call, counted from 1 since the fault was set. */
  readonly nth?: number
  /** Every n-th matching call. */
  readonly every?: number
  /** Probability per matching call, drawn from the double's clock. */
  readonly chance?: number
  /** At most so many times in all. */
  readonly times?: number
  readonly action: FaultAction
}

/** What a call is about, as far as faults, limits and the call log need to know. */
export interface CallSubject {
  readonly operation: OperationName
  readonly stream?: string | undefined
  readonly shardId?: string | undefined
}

/** A fault that was set; it stays until removed or used up. */
export interface FaultHandle {
  /** How often it struck. */
  readonly fired: number
  remove(): void
}

/** The faults in force, each with its counts. */
export class FaultBook {
  readonly #random: () => number
  #rules: { readonly fault: Fault; seen: number; fired: number }[] = []

  constructor(random: () => number) {
    this.#random = random
  }

  add(fault: Fault): FaultHandle {
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
  strike(subject: CallSubject): readonly FaultAction[] {
    const actions: FaultAction[] = []
    for (const rule of this.#rules) {
      const { fault } = rule
      if (!matches(fault, subject) || rule.fired >= (fault.times ?? Number.POSITIVE_INFINITY)) continue
      rule.seen++
      if (fault.nth !== undefined && rule.seen !== fault.nth) continue
      if (fault.every !== undefined && rule.seen % fault.every !== 0) continue
      if (fault.chance !== undefined && this.#random() >= fault.chance) continue
      rule.fired++
      actions.push(fault.action)
    }
    return actions
  }
}

function matches(fault: Fault, subject: CallSubject): boolean {
  return (
    (fault.operation === undefined || fault.operation === subject.operation) &&
    (fault.stream === undefined || fault.stream === subject.stream) &&
    (fault.shardId === undefined || fault.shardId === subject.shardId)
  )
}
