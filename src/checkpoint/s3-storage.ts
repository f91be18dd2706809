import type { Clock } from '../clock.ts'
import { hasCode, SluiceError } from '../errors.ts'
import { S3Bucket } from '../s3/bucket.ts'
import { contentOfBytes, contentOfFile, type S3Content } from '../s3/content.ts'
import { parseS3Location, type S3Location } from '../s3/location.ts'
import type { S3Settings } from '../s3/options.ts'
import type { S3Owner } from '../s3/owner.ts'
import { diskError } from './disk-error.ts'
import { checkFileName } from './file-name.ts'
import { S3LocalFiles } from './s3-local-files.ts'
import type { Storage } from './storage.ts'

/** Keys of probes. Names with a leading dot are no part of a checkpoint. */
const PROBES = '.probe/'
/** A probe may be swept between two puts, by a writer that starts meanwhile; each sweeps once in its life. */
const PROBE_PUTS = 5
/** What S3 takes in one request. */
const BYTES_MAX = 5 * 1024 ** 3

/**
 * A checkpoint in a bucket of S3, or of a store that speaks its language and honours If-None-Match on writes.
 *
 * An object is created by one conditional put. When the answer is lost the put is repeated, and a refusal then is told
 * from somebody else's write by a nonce in the object's metadata. Nothing is touched before the first `create`, which
 * also proves that the store keeps that promise.
 *
 * Fails with S3_UNAVAILABLE, S3_REGION, S3_NO_BUCKET, CHECKPOINT_S3_TOO_LARGE, CHECKPOINT_STORE_UNSAFE,
 * the AWS codes that another attempt does not mend, and for local copies of state files with
 * CHECKPOINT_FULL, CHECKPOINT_DENIED, CHECKPOINT_IO.
 */
export class S3Storage implements Storage {
  readonly location: string
  readonly #owner: S3Owner
  readonly #prefix: string
  readonly #bucket: S3Bucket
  readonly #local: S3LocalFiles
  readonly #clock: Clock
  readonly #copies = new Map<string, { readonly etag: string; readonly file: string }>()
  #proof: Promise<void> | undefined

  private constructor(
    location: string,
    owner: S3Owner,
    { bucket, prefix }: S3Location,
    requests: S3Bucket,
    clock: Clock,
  ) {
    this.location = location
    this.#owner = owner
    this.#prefix = prefix
    this.#bucket = requests
    this.#local = new S3LocalFiles(location, bucket, prefix)
    this.#clock = clock
  }

  /**
   * Makes no request.
   *
   * @param location `s3://bucket/prefix`
   * @throws CHECKPOINT_LOCATION
   */
  static async open(location: string, settings: S3Settings, clock: Clock): Promise<S3Storage> {
    const refuse = (reason: string, shown: string) =>
      new SluiceError('CHECKPOINT_LOCATION', { location: shown, reason })
    const place = parseS3Location(location, refuse)
    const owner: S3Owner = {
      name: `the checkpoint ${location}`,
      localFailure: (operation, file, cause) => diskError(operation, location, file, cause),
    }
    const bucket = await S3Bucket.open(owner, place, settings, clock)
    return new S3Storage(location, owner, place, bucket, clock)
  }

  async create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    const key = this.#key(path)
    await this.#proven()
    return this.#put(key, contentOfBytes(bytes))
  }

  async createFrom(path: string, file: string): Promise<'created' | 'exists'> {
    const key = this.#key(path)
    const content = await contentOfFile(this.#owner, file)
    if (content.bytes > BYTES_MAX) {
      const { location } = this
      throw new SluiceError('CHECKPOINT_S3_TOO_LARGE', { location, path, bytes: content.bytes })
    }
    await this.#proven()
    const outcome = await this.#put(key, content)
    if (outcome === 'created') await this.#local.remove(file)
    return outcome
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return this.#bucket.read(this.#key(path))
  }

  /** A copy, which goes when its object is removed and at the latest when the storage is closed. */
  async localFile(path: string): Promise<string | undefined> {
    const key = this.#key(path)
    const known = this.#copies.get(path)
    const file = await this.#local.next()
    let etag: string | undefined
    try {
      etag = await this.#bucket.download(key, file, known?.etag)
    } finally {
      if (etag === undefined || etag === known?.etag) await this.#local.remove(file)
    }
    if (known && etag === known.etag) return known.file
    await this.#forget(path)
    if (etag === undefined) return undefined
    this.#copies.set(path, { etag, file })
    return file
  }

  async list(folder: string, limit = Number.POSITIVE_INFINITY): Promise<readonly string[]> {
    const names: string[] = []
    for await (const key of this.#bucket.keys(`${this.#prefix}${folder}`)) {
      if (names.length >= limit) break
      const name = key.slice(this.#prefix.length)
      // Some tools put an empty object where a disk has a directory.
      if (!name.endsWith('/') && !/(?:^|\/)\./.test(name)) names.push(name)
    }
    return names.sort()
  }

  async remove(path: string): Promise<void> {
    await this.#bucket.remove(this.#key(path))
    await this.#forget(path)
  }

  scratchFile(): Promise<string> {
    return this.#local.next()
  }

  async recover(): Promise<void> {
    for await (const key of this.#bucket.keys(`${this.#prefix}${PROBES}`)) await this.#bucket.remove(key)
    await this.#local.sweep()
  }

  async close(): Promise<void> {
    this.#copies.clear()
    this.#bucket.close()
    await this.#local.close()
  }

  async #put(key: string, content: S3Content): Promise<'created' | 'exists'> {
    const nonce = this.#clock.uuid()
    if ((await this.#bucket.put(key, content, nonce)) === 'created') return 'created'
    // Our own put, done by an attempt of which the answer was lost.
    return (await this.#bucket.nonceOf(key)) === nonce ? 'created' : 'exists'
  }

  async #forget(path: string): Promise<void> {
    const copy = this.#copies.get(path)
    this.#copies.delete(path)
    if (copy) await this.#local.remove(copy.file)
  }

  /** Once in the life of this storage; again when it could not be carried out. */
  #proven(): Promise<void> {
    this.#proof ??= this.#probe().catch((error: unknown) => {
      this.#proof = undefined
      throw error
    })
    return this.#proof
  }

  async #probe(): Promise<void> {
    const key = `${this.#prefix}${PROBES}${this.#clock.uuid()}`
    try {
      await this.#proveConditionalWrites(key)
    } catch (error) {
      // What a failing store did not let us remove is swept by `recover`.
      if (hasCode(error, 'CHECKPOINT_STORE_UNSAFE')) await this.#bucket.remove(key).catch(() => {})
      throw error
    }
    await this.#bucket.remove(key)
  }

  /** Proves that a taken name is refused and that a write is known by its nonce, before anything rests on it. */
  async #proveConditionalWrites(key: string): Promise<void> {
    const unsafe = (reason: string, cause?: unknown) =>
      new SluiceError('CHECKPOINT_STORE_UNSAFE', { location: this.location, reason }, { cause })
    const content = contentOfBytes(Buffer.from('a probe of conditional writes\n'))
    for (let puts = 0; puts < PROBE_PUTS; puts++) {
      const nonce = this.#clock.uuid()
      const outcome = await this.#bucket.put(key, content, nonce).catch((error: unknown) => {
        // 501 NotImplemented and its like: the store knows the header and wants none of it.
        throw hasCode(error, 'AWS_REQUEST_REFUSED') ? unsafe(String(error.params.reason), error) : error
      })
      const found = await this.#bucket.nonceOf(key)
      if (outcome === 'created' && found === '') throw unsafe('it keeps no metadata of an object')
      if (outcome === 'taken' && found !== nonce) return
    }
    throw unsafe('it ignores If-None-Match and overwrites what is there')
  }

  #key(path: string): string {
    checkFileName(this.location, path)
    return this.#prefix + path
  }
}
