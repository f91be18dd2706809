import type { S3Subject } from './fault.ts'
import type { S3ErrorCode } from './service-error.ts'

/** One call as the service saw it, for assertions on order and effect. */
export interface S3Call extends S3Subject {
  /** Of the double's clock, when the call came in. */
  readonly atMs: number
  readonly outcome: 'ok' | 'hang' | 'reset' | 'truncate' | 'html' | S3ErrorCode
  /** Of the body as it came, framing and all. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly ifNoneMatch: string | undefined
  /** Where the bucket's name stood. */
  readonly style: 'path' | 'host'
  /** The host that the client meant to reach. */
  readonly host: string | undefined
  /** Of the credentials that signed the request, and the region that they signed for. */
  readonly accessKeyId: string | undefined
  readonly signedRegion: string | undefined
}

/** The latest calls, oldest first. */
export class S3CallLog {
  readonly #keep: number
  #calls: S3Call[] = []

  constructor(keep: number) {
    this.#keep = keep
  }

  get all(): readonly S3Call[] {
    return this.#calls
  }

  add(call: S3Call): void {
    this.#calls.push(call)
    // Dropping in bulk keeps adding cheap.
    if (this.#calls.length >= this.#keep * 2) this.#calls = this.#calls.slice(-this.#keep)
  }

  clear(): void {
    this.#calls = []
  }
}
