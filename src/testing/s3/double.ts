import { type Clock, systemClock } from '../../clock.ts'
import type { FaultHandle } from '../kinesis/fault.ts'
import { type S3Call, S3CallLog } from './call-log.ts'
import { S3Exchange } from './exchange.ts'
import { type S3Fault, S3FaultBook } from './fault.ts'
import { listenS3, type S3Endpoint, type S3ListenOptions } from './http-server.ts'
import { ObjectStore, type StoredObject } from './object-store.ts'
import { refuse } from './service-error.ts'

export interface S3DoubleOptions {
  /** Of dates, delays, request ids and chance. Default: the system's. */
  readonly clock?: Clock
  /** The region that requests must be signed for. Default: any will do. */
  readonly region?: string
  /**
   * What If-None-Match and If-Match do on a write. `ignored` is how some S3-compatible stores treat them: they
   * overwrite. `refused` answers 501, as others do. Default `honoured`.
   */
  readonly conditionalWrites?: 'honoured' | 'ignored' | 'refused'
  /** Most keys in one page of a listing. Default 1,000, as S3 has it. */
  readonly pageSize?: number
  /** How many calls `calls` remembers at least. Default 100,000. */
  readonly keptCalls?: number
}

/**
 * An S3 of one's own: objects in memory behind a real HTTP server, with conditional writes, faults on command and a
 * log of calls. It knows PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, ListObjectsV2 (without
 * `delimiter`) and uploads in parts, and refuses what it does not know with NotImplemented. Signatures are not verified.
 *
 * The methods beside `listen` and `close` arrange the scene: they act at once and pass by faults and the log.
 */
export class S3Double {
  readonly #buckets = new Map<string, ObjectStore>()
  readonly #exchange: S3Exchange
  readonly #faults: S3FaultBook
  readonly #log: S3CallLog
  readonly #clock: Clock
  readonly #endpoints = new Set<S3Endpoint>()

  constructor(options: S3DoubleOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#faults = new S3FaultBook(() => this.#clock.random())
    this.#log = new S3CallLog(options.keptCalls ?? 100_000)
    this.#exchange = new S3Exchange({
      clock: this.#clock,
      faults: this.#faults,
      buckets: this.#buckets,
      region: options.region,
      pageSize: options.pageSize ?? 1000,
      conditionalWrites: options.conditionalWrites ?? 'honoured',
      log: (call) => this.#log.add(call),
    })
  }

  /** Every call over HTTP, oldest first. */
  get calls(): readonly S3Call[] {
    return this.#log.all
  }

  clearCalls(): void {
    this.#log.clear()
  }

  /** Serves HTTP/1.1 until the endpoint or the double is closed. Default 127.0.0.1, any port. */
  async listen(options: S3ListenOptions = {}): Promise<S3Endpoint> {
    const endpoint = await listenS3(this.#exchange, options)
    this.#endpoints.add(endpoint)
    return endpoint
  }

  /** Ends every endpoint and every call that hangs. */
  async close(): Promise<void> {
    await Promise.all([...this.#endpoints].map((endpoint) => endpoint.close()))
  }

  /** An empty bucket. One of that name that is there already stays as it is. */
  createBucket(name: string): void {
    if (!this.#buckets.has(name)) this.#buckets.set(name, new ObjectStore())
  }

  /** Puts an object, over one that may be there. Text is taken as UTF-8. */
  put(bucket: string, key: string, content: Uint8Array | string): StoredObject {
    return this.#bucket(bucket).put(key, {
      content: Buffer.from(content),
      modifiedMs: this.#clock.now(),
      contentType: 'binary/octet-stream',
      metadata: {},
      checksums: {},
    })
  }

  object(bucket: string, key: string): StoredObject | undefined {
    return this.#bucket(bucket).get(key)
  }

  remove(bucket: string, key: string): void {
    this.#bucket(bucket).delete(key)
  }

  /** All keys that begin so, in the order of S3. */
  keys(bucket: string, prefix = ''): readonly string[] {
    return this.#bucket(bucket).keys(prefix)
  }

  /** Keys of uploads in parts that were begun, and neither finished nor aborted. */
  uploads(bucket: string): readonly string[] {
    return this.#bucket(bucket)
      .uploads.list()
      .map(({ key }) => key)
  }

  /** Makes something go wrong from now on, until used up or removed. */
  fault(fault: S3Fault): FaultHandle {
    return this.#faults.add(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  #bucket(name: string): ObjectStore {
    return this.#buckets.get(name) ?? refuse('NoSuchBucket')
  }
}
