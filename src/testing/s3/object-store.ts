import { createHash } from 'node:crypto'
import { Uploads } from './multipart.ts'
import { refuse } from './service-error.ts'

export interface StoredObject {
  readonly content: Uint8Array
  /** With its quotation marks. */
  readonly etag: string
  /** Epoch milliseconds, by the double's clock. */
  readonly modifiedMs: number
  readonly contentType: string
  /** What came as `x-amz-meta-…`, by the names after that. */
  readonly metadata: Readonly<Record<string, string>>
  /** By header name: `x-amz-checksum-crc32`. */
  readonly checksums: Readonly<Record<string, string>>
}

export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

const KEY_BYTES_MAX = 1024

/** The objects of one bucket, and uploads in parts that are to become some. Each call is atomic. */
export class ObjectStore {
  readonly uploads = new Uploads()
  readonly #objects = new Map<string, StoredObject>()

  /** @throws S3ServiceError PreconditionFailed, NoSuchKey, NotImplemented, KeyTooLongError */
  put(
    key: string,
    object: Omit<StoredObject, 'etag'> & { readonly etag?: string },
    { ifMatch, ifNoneMatch }: Conditions = {},
  ): StoredObject {
    if (Buffer.byteLength(key) > KEY_BYTES_MAX) refuse('KeyTooLongError')
    const before = this.#objects.get(key)
    if (ifNoneMatch !== undefined) {
      // The service knows this header on a write in the form of a star alone.
      if (ifNoneMatch !== '*') refuse('NotImplemented')
      if (before) refuse('PreconditionFailed', { fields: { Condition: 'If-None-Match' } })
    }
    this.#demand(before, ifMatch)
    const stored = Object.freeze({ ...object, etag: object.etag ?? etagOf(object.content) })
    this.#objects.set(key, stored)
    return stored
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  /** Removing what is not there is no error, unless it was to match. */
  delete(key: string, { ifMatch }: Conditions = {}): void {
    this.#demand(this.#objects.get(key), ifMatch)
    this.#objects.delete(key)
  }

  /** Keys in the order of S3: by the bytes of their UTF-8. */
  keys(prefix = ''): readonly string[] {
    const matching = [...this.#objects.keys()].filter((key) => key.startsWith(prefix))
    return matching.sort(compareKeys)
  }

  #demand(object: StoredObject | undefined, ifMatch: string | undefined): void {
    if (ifMatch === undefined) return
    if (!object) refuse('NoSuchKey')
    if (ifMatch !== '*' && !sameEtag(ifMatch, object.etag)) {
      refuse('PreconditionFailed', { fields: { Condition: 'If-Match' } })
    }
  }
}

export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export function sameEtag(given: string, etag: string): boolean {
  return given === '*' || given.replaceAll('"', '') === etag.replaceAll('"', '')
}

function etagOf(content: Uint8Array): string {
  return `"${createHash('md5').update(content).digest('hex')}"`
}
