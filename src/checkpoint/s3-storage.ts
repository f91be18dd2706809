import type { Clock } from '../clock.ts'
import { SluiceError } from '../errors.ts'
import { S3Bucket } from '../s3/bucket.ts'
import { contentOfBytes, contentOfFile } from '../s3/content.ts'
import { S3LocalFiles } from '../s3/local-files.ts'
import { parseS3Location, type S3Location } from '../s3/location.ts'
import type { S3Settings } from '../s3/options.ts'
import type { S3Owner } from '../s3/owner.ts'
import { diskError } from './disk-error.ts'
import { checkFileName } from './file-name.ts'
import type { Storage } from './storage.ts'

/** Keys of probes. Names with a leading dot are no part of a checkpoint. */
const PROBES = '.probe/'
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

  private constructor(location: string, owner: S3Owner, place: S3Location, requests: S3Bucket, clock: Clock) {
    this.location = location
    this.#owner = owner
    this.#prefix = place.prefix
    this.#bucket = requests
    this.#local = new S3LocalFiles(owner, place)
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
    return this.#bucket.create(key, contentOfBytes(bytes))
  }

  async createFrom(path: string, file: string): Promise<'created' | 'exists'> {
    const key = this.#key(path)
    const content = await contentOfFile(this.#owner, file)
    if (content.bytes > BYTES_MAX) {
      const { location } = this
      throw new SluiceError('CHECKPOINT_S3_TOO_LARGE', { location, path, bytes: content.bytes })
    }
    await this.#proven()
    const outcome = await this.#bucket.create(key, content)
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
    const reason = await this.#bucket.whyUnsafe(key)
    if (reason === undefined) return
    throw new SluiceError('CHECKPOINT_STORE_UNSAFE', { location: this.location, reason })
  }

  #key(path: string): string {
    checkFileName(this.location, path)
    return this.#prefix + path
  }
}
