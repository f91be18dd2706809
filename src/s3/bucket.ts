import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { connectS3 } from '../aws.ts'
import type { Clock } from '../clock.ts'
import { hasCode } from '../errors.ts'
import { hit } from '../failpoints.ts'
import { type Allowance, limits } from './allowance.ts'
import { S3Attempts } from './attempts.ts'
import { contentOfBytes, type LocalFile, type S3Content } from './content.ts'
import { malformed, type S3Call, statusOf } from './error.ts'
import { headObject, NONCE, type ObjectHead } from './head.ts'
import type { S3Location } from './location.ts'
import type { S3Settings } from './options.ts'
import type { S3Owner } from './owner.ts'
import type { Requests } from './requests.ts'
import { abortUpload, PART_BYTES, unfinishedUploads, uploadInParts } from './upload.ts'

/** A probe may be swept between two puts, by a writer that starts meanwhile; each sweeps once in its life. */
const PROBE_PUTS = 5

/** An object of which the headers have come and the body is on its way. */
interface Incoming {
  readonly etag: string
  readonly bytes: number
  readonly body: Readable
}

export interface ListedObject {
  readonly key: string
  readonly etag: string
  readonly bytes: number
  readonly modifiedMs: number
}

type Take<T> = (object: Incoming, allowance: Allowance, call: S3Call) => Promise<T>

/**
 * The requests that one owner makes of a bucket: the only door to S3.
 *
 * What got no answer may have been carried out, so each of them is safe to repeat: a put is put-if-absent and leaves
 * a nonce by which it is known again, and a removal has no memory. An answer is believed only if it has what S3 alone
 * would put into it: the page of a captive portal is a success, too.
 */
export class S3Bucket {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #owner: S3Owner
  readonly #attempts: S3Attempts
  readonly #clock: Clock

  private constructor(client: S3Client, bucket: string, owner: S3Owner, attempts: S3Attempts, clock: Clock) {
    this.#client = client
    this.#bucket = bucket
    this.#owner = owner
    this.#attempts = attempts
    this.#clock = clock
  }

  /** Makes no request. */
  static async open(
    owner: S3Owner,
    place: S3Location,
    settings: S3Settings,
    clock: Clock,
  ): Promise<S3Bucket> {
    const connection = await connectS3(owner.name, settings.aws)
    const attempts = new S3Attempts(connection, owner, place, settings, clock)
    return new S3Bucket(connection.client, place.bucket, owner, attempts, clock)
  }

  /** Put-if-absent: of any number of writers exactly one gets `created`. */
  async create(key: string, content: S3Content): Promise<'created' | 'exists'> {
    const nonce = this.#clock.uuid()
    if ((await this.#put(key, content, nonce)) === 'created') return 'created'
    // Our own put, done by an attempt of which the answer was lost.
    return (await this.#nonceOf(key)) === nonce ? 'created' : 'exists'
  }

  /**
   * Puts a local file under a key that nobody else writes; a big one in parts. It is there as a whole or not at all:
   * what a failure leaves of its parts is removed, or by `removeUploads` later.
   */
  async upload(key: string, file: LocalFile): Promise<void> {
    if (file.bytes > PART_BYTES) {
      await uploadInParts(this.#requests, key, file, this.#clock.uuid())
    } else {
      await this.create(key, contentOfBytes(await file.read(0, file.bytes)))
    }
  }

  /** Removes the parts of uploads under such keys that were never finished. */
  async removeUploads(prefix: string): Promise<void> {
    for await (const { key, id } of unfinishedUploads(this.#requests, prefix)) {
      await abortUpload(this.#requests, key, id)
    }
  }

  /**
   * Proves that a taken name is refused and that a write is known by its nonce, before anything rests on it.
   *
   * @param key of a probe, which is removed again
   * @returns why this store cannot be relied on, if so
   */
  async whyUnsafe(key: string): Promise<string | undefined> {
    const reason = await this.#probe(key)
    const removing = this.remove(key)
    // What an unsafe store did not let us remove is not worth more words.
    await (reason === undefined ? removing : removing.catch(() => undefined))
    return reason
  }

  async #probe(key: string): Promise<string | undefined> {
    const content = contentOfBytes(Buffer.from('a probe of conditional writes\n'))
    for (let puts = 0; puts < PROBE_PUTS; puts++) {
      const nonce = this.#clock.uuid()
      const outcome = await this.#put(key, content, nonce).catch((error: unknown) => {
        // 501 NotImplemented and its like: the store knows the header and wants none of it.
        if (hasCode(error, 'AWS_REQUEST_REFUSED')) return { refused: String(error.params.reason) }
        throw error
      })
      if (typeof outcome === 'object') return outcome.refused
      const found = await this.#nonceOf(key)
      if (outcome === 'created' && found === '') return 'it keeps no metadata of an object'
      if (outcome === 'taken' && found !== nonce) return undefined
    }
    return 'it ignores If-None-Match and overwrites what is there'
  }

  /** The name may be `taken` by an earlier attempt at this very put: `#nonceOf` tells. */
  #put(key: string, content: S3Content, nonce: string): Promise<'created' | 'taken'> {
    return this.#attempts.run('PutObject', key, content.bytes, async (allowance, call) => {
      const body = content.open()
      if (body instanceof Readable) {
        // The SDK does not listen, and an unheard error of a stream would end the process.
        body.once('error', (error) => allowance.abort(this.#owner.localFailure('read', key, error)))
      }
      const command = new PutObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        Body: body,
        ContentLength: content.bytes,
        ChecksumCRC32: content.crc32,
        IfNoneMatch: '*',
        Metadata: { [NONCE]: nonce },
      })
      try {
        hit('object.sending')
        const { ETag } = await this.#client.send(command, limits(allowance))
        hit('object.created')
        if (ETag === undefined) throw malformed(call, 'a success without an ETag')
        return 'created'
      } catch (error) {
        if (statusOf(error) === 412) return 'taken'
        throw error
      } finally {
        if (body instanceof Readable) body.destroy()
      }
    })
  }

  /** Of whoever created the object; empty when it was not created by `put`, undefined when there is none. */
  async #nonceOf(key: string): Promise<string | undefined> {
    const head = await this.head(key)
    return head?.nonce
  }

  /** What is known of an object without reading it; undefined when there is none. */
  head(key: string): Promise<ObjectHead | undefined> {
    return headObject(this.#requests, key)
  }

  /** The content, or undefined when there is no such object. */
  read(key: string): Promise<Uint8Array | undefined> {
    return this.#get(key, async (object, allowance, call) => {
      const chunks: Uint8Array[] = []
      await receive(object, allowance, call, async (chunk) => {
        chunks.push(chunk)
      })
      return Buffer.concat(chunks)
    })
  }

  /**
   * Copies the content into a local file.
   *
   * @param known the ETag of a content that need not be copied again: then nothing is written, and it is the answer
   * @returns the ETag of the content, or undefined when there is no such object
   */
  download(key: string, file: string, known: string | undefined): Promise<string | undefined> {
    const failed = (error: unknown): never => {
      throw this.#owner.localFailure('create', file, error)
    }
    const take: Take<string> = async (object, allowance, call) => {
      const handle = await open(file, 'w').catch(failed)
      try {
        await receive(object, allowance, call, (chunk) => handle.writeFile(chunk).catch(failed))
      } finally {
        await handle.close().catch(failed)
      }
      return object.etag
    }
    return this.#get(key, take, known === undefined ? undefined : { etag: known, answer: known })
  }

  /** All keys that begin so, a page of requests at a time, in no promised order. */
  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { key } of this.objects(prefix)) yield key
  }

  /** As `keys`, with what a listing tells of each object. */
  async *objects(prefix: string): AsyncGenerator<ListedObject> {
    let token: string | undefined
    do {
      const page = await this.#page(prefix, token)
      for (const { Key = '', ETag: etag = '', Size: bytes = 0, LastModified } of page.Contents ?? []) {
        const key = page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key
        yield { key, etag, bytes, modifiedMs: LastModified?.getTime() ?? 0 }
      }
      token = page.NextContinuationToken
    } while (token !== undefined)
  }

  /** Removing what is not there is no error. */
  remove(key: string): Promise<void> {
    return this.#attempts.run('DeleteObject', key, 0, async (allowance, call) => {
      const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })
      const { $metadata } = await this.#client.send(command, limits(allowance))
      hit('object.removed')
      if ($metadata.httpStatusCode !== 204 && $metadata.requestId === undefined) {
        throw malformed(call, `HTTP ${$metadata.httpStatusCode} without a request id`)
      }
    })
  }

  close(): void {
    this.#client.destroy()
  }

  get #requests(): Requests {
    return { client: this.#client, attempts: this.#attempts, bucket: this.#bucket }
  }

  #page(prefix: string, token: string | undefined): Promise<ListObjectsV2CommandOutput> {
    return this.#attempts.run('ListObjectsV2', prefix, 0, async (allowance, call) => {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        // XML cannot say every character that a key of somebody else may have.
        EncodingType: 'url',
        ...(token === undefined ? {} : { ContinuationToken: token }),
      })
      const page = await this.#client.send(command, limits(allowance))
      // Anything else than a listing would be taken for an empty one, which means a fresh start.
      if (page.IsTruncated === undefined) throw malformed(call, 'no listing')
      if (page.IsTruncated !== (page.NextContinuationToken !== undefined)) {
        throw malformed(call, 'a listing that does not say how it goes on')
      }
      return page
    })
  }

  #get<T>(
    key: string,
    take: Take<T>,
    unchanged?: { readonly etag: string; readonly answer: T },
  ): Promise<T | undefined> {
    return this.#attempts.run('GetObject', key, 0, async (allowance, call) => {
      const command = new GetObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        // The SDK then checks the content against it while we read.
        ChecksumMode: 'ENABLED',
        ...(unchanged === undefined ? {} : { IfNoneMatch: unchanged.etag }),
      })
      try {
        const {
          Body: body,
          ETag: etag,
          ContentLength: bytes,
        } = await this.#client.send(command, limits(allowance))
        if (!(body instanceof Readable) || etag === undefined || bytes === undefined) {
          throw malformed(call, 'an object without ETag or length')
        }
        // Whoever reads gets the error; without a listener, one that comes before that would end the process.
        body.on('error', () => {})
        return await take({ body, etag, bytes }, allowance, call)
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchKey') return undefined
        if (unchanged && statusOf(error) === 304) return unchanged.answer
        throw error
      }
    })
  }
}

/** Reads the body to its end. A body that is cut off, or not what its checksum says, is an error. */
async function receive(
  { body, bytes }: Incoming,
  allowance: Allowance,
  call: S3Call,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  allowance.expect(bytes)
  const { signal } = allowance
  const stop = () => void body.destroy(signal.reason as Error)
  signal.addEventListener('abort', stop, { once: true })
  let received = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      received += chunk.length
      await take(chunk)
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
  if (received !== bytes) throw malformed(call, `${received} of ${bytes} bytes`)
}
