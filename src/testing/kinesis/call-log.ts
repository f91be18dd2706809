import type { CallSubject } from './fault.ts'
import type { InputOf, OperationName } from './operations.ts'
import type { ServiceErrorCode } from './service-error.ts'

/** Who asked, and how. */
export interface Caller {
  readonly format: 'in-process' | 'json' | 'cbor'
  /** Of the credentials that signed the request. */
  readonly accessKeyId?: string | undefined
  /** The region that the request was signed for. */
  readonly signedRegion?: string | undefined
  /** The host that the client meant to reach. */
  readonly host?: string | undefined
}

/** One call as the service saw it, for assertions on order, spacing and positions. */
export interface Call extends CallSubject, Caller {
  /** Of the double's clock, when the call came in. */
  readonly atMs: number
  readonly outcome: 'ok' | 'hang' | 'reset' | 'truncate' | 'html' | ServiceErrorCode
  /** Put or got. */
  readonly records: number
  /** Of data and keys got. */
  readonly bytes: number
  /** What was asked; absent for puts, whose data is in the stream. */
  readonly input?: InputOf<OperationName>
}

/** The latest calls, oldest first. */
export class CallLog {
  readonly #keep: number
  #calls: Call[] = []

  constructor(keep: number) {
    this.#keep = keep
  }

  get all(): readonly Call[] {
    return this.#calls
  }

  add(call: Call): void {
    this.#calls.push(call)
    // Dropping in bulk keeps adding cheap.
    if (this.#calls.length >= this.#keep * 2) this.#calls = this.#calls.slice(-this.#keep)
  }

  clear(): void {
    this.#calls = []
  }
}
