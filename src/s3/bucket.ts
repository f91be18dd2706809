import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { connectS3 } from '../aws.ts'
import type { Clock } from '../clock.ts'
import { hit } from '../failpoints.ts'
import type { Allowance } from './allowance.ts'
import { S3Attempts } from './attempts.ts'
import type { S3Content } from './content.ts'
import { malformed, type S3Call, statusOf } from './error.ts'
import type { S3Location } from './location.ts'
import type { S3Settings } from './options.ts'
import type { S3Owner } from './owner.ts'

/** Under which an object keeps the nonce of whoever created it. */
const NONCE = 'sluice-nonce'

/** An object of which the headers have come and the body is on its way. */
interface Incoming {
  readonly etag: string
  readonly bytes: number
  readonly body: Readable
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

  private constructor(client: S3Client, bucket: string, owner: S3Owner, attempts: S3Attempts) {
    this.#client = client
    this.#bucket = bucket
    this.#owner = owner
    this.#attempts = attempts
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
    return new S3Bucket(connection.client, place.bucket, owner, attempts)
  }

  /** Put-if-absent. The name may be `taken` by an earlier attempt at this very put: `nonceOf` tells. */
  put(key: string, content: S3Content, nonce: string): Promise<'created' | 'taken'> {
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
  nonceOf(key: string): Promise<string | undefined> {
    return this.#attempts.run('HeadObject', key, 0, async (allowance, call) => {
      const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key })
      try {
        const { ETag, Metadata } = await this.#client.send(command, limits(allowance))
        if (ETag === undefined) throw malformed(call, 'an object without an ETag')
        return Metadata?.[NONCE] ?? ''
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    })
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
    let token: string | undefined
    do {
      const page = await this.#page(prefix, token)
      for (const { Key = '' } of page.Contents ?? []) {
        yield page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key
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

function limits(allowance: Allowance): {
  readonly abortSignal: AbortSignal
  readonly requestTimeout: number
} {
  return { abortSignal: allowance.signal, requestTimeout: Math.ceil(allowance.ms) }
}
