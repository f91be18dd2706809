import { mkdir } from 'node:fs/promises'
import type { Clock } from '../../clock.ts'
import { type DiskCalls, sealFile } from '../../durable-file.ts'
import { hasCode, SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import { entryText, isFileList, LEDGER, type ManifestFile, parseEntry } from '../../files/manifest.ts'
import type { Logger } from '../../log.ts'
import { S3Bucket } from '../../s3/bucket.ts'
import { contentOfBytes, localFile } from '../../s3/content.ts'
import { S3LocalFiles } from '../../s3/local-files.ts'
import { parseS3Location, type S3Location } from '../../s3/location.ts'
import type { S3Settings } from '../../s3/options.ts'
import type { S3Owner } from '../../s3/owner.ts'
import { BUCKET, diskError } from './disk-error.ts'
import type { Place, StagedFile, Verdicts } from './place.ts'

/** Begins the name of an entry that says which files are about to come. */
const ATTEMPT = 'attempt-'
const PROBE = 'probe-'
/** Of one batch that are on their way at a time; a big one goes in parts, several at a time as well. */
const FILES_AT_ONCE = 4

/**
 * An output in a bucket. Entries are created by put-if-absent.
 *
 * A process that still lives somewhere cannot be stopped here, so files are judged only once the entry of their batch
 * is there, which is created once: what an attempt brought and that entry does not name can never count. Each attempt
 * is noted before its files come, and the note goes when they are judged, so that nobody has to list the whole output.
 */
export class BucketPlace implements Place {
  readonly #bucket: S3Bucket
  readonly #local: S3LocalFiles
  readonly #owner: S3Owner
  readonly #prefix: string
  readonly #sink: string
  readonly #root: string
  readonly #clock: Clock
  readonly #calls: DiskCalls
  readonly #log: Logger
  /** Attempts of other processes wait to be judged. */
  #areWaiting = false

  private constructor(
    bucket: S3Bucket,
    owner: S3Owner,
    place: S3Location,
    { sink, root, clock, calls, log }: BucketParts,
  ) {
    this.#bucket = bucket
    this.#local = new S3LocalFiles(owner, place)
    this.#owner = owner
    this.#prefix = place.prefix
    this.#sink = sink
    this.#root = root
    this.#clock = clock
    this.#calls = calls
    this.#log = log
  }

  /** Makes no request. @throws SINK_PATH */
  static async open(settings: S3Settings, parts: BucketParts): Promise<BucketPlace> {
    const { sink, root, clock } = parts
    const place = parseS3Location(root, (reason, path) => {
      return new SluiceError('SINK_PATH', { sink: sink.replace(root, path), path, reason, expected: BUCKET })
    })
    const owner: S3Owner = {
      name: `the sink ${sink}`,
      localFailure: (operation, file, cause) => diskError(sink, operation, file, cause),
    }
    return new BucketPlace(await S3Bucket.open(owner, place, settings, clock), owner, place, parts)
  }

  /** Whether there is such a bucket is seen by the first read. */
  async inspect(): Promise<void> {}

  async read(entry: string): Promise<string | undefined> {
    const bytes = await this.#bucket.read(this.#keyOf(entry))
    return bytes && Buffer.from(bytes).toString()
  }

  entries(): Promise<readonly string[]> {
    return this.#entriesFrom('')
  }

  create(entry: string, text: string): Promise<'created' | 'exists'> {
    return this.#bucket.create(this.#keyOf(entry), contentOfBytes(Buffer.from(text)))
  }

  async begin(): Promise<void> {
    await this.#local.sweep()
    const reason = await this.#bucket.whyUnsafe(this.#keyOf(`${PROBE}${this.#clock.uuid()}`))
    if (reason === undefined) return
    throw new SluiceError('SINK_STORE_UNSAFE', { sink: this.#sink, path: this.#root, reason })
  }

  async stage(): Promise<string> {
    const stage = await this.#local.next()
    await mkdir(stage)
    return stage
  }

  async bring(entry: string, files: readonly StagedFile[]): Promise<readonly ManifestFile[]> {
    if (files.length === 0) return []
    const brought: ManifestFile[] = []
    for (const { file, path } of files) brought.push({ path, ...(await sealFile(this.#calls, file)) })
    await this.create(`${ATTEMPT}${this.#clock.uuid()}`, entryText({ entry, files: brought }))
    this.#areWaiting = true
    for (let from = 0; from < files.length; from += FILES_AT_ONCE) {
      const ends = await Promise.allSettled(
        files.slice(from, from + FILES_AT_ONCE).map(async ({ file, path }) => {
          await this.#bucket.upload(this.#prefix + path, await localFile(this.#owner, file))
          hit('sink.moved')
        }),
      )
      // All are at rest before the first failure is told: the stage goes then.
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    }
    return brought
  }

  async settle(verdicts: Verdicts): Promise<void> {
    if (!this.#areWaiting) return
    // The batch is in the output: what is not cleaned up now is cleaned up with the next one.
    await this.recover(verdicts).catch((error: unknown) => {
      this.#log.warn({ sink: this.#sink, error }, 'files that do not count could not be removed yet')
    })
  }

  async withLocal(
    paths: readonly string[],
    work: (files: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const copies: string[] = []
    try {
      for (const path of paths) {
        const copy = await this.#local.next()
        copies.push(copy)
        if ((await this.#bucket.download(this.#prefix + path, copy, undefined)) !== undefined) continue
        const reason = 'is named by the ledger and not in the bucket'
        throw new SluiceError('SINK_DAMAGED', { sink: this.#sink, path: `${this.#root}/${path}`, reason })
      }
      await work(copies)
    } finally {
      for (const copy of copies) await this.#local.remove(copy)
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#bucket.remove(this.#prefix + path)
  }

  async recover(verdicts: Verdicts): Promise<void> {
    this.#areWaiting = false
    for (const probe of await this.#entriesFrom(PROBE)) await this.#bucket.remove(this.#keyOf(probe))
    for (const entry of await this.#entriesFrom(ATTEMPT)) {
      const attempt = await this.#attempt(entry)
      const named = attempt && (await verdicts.filesOf(attempt.entry))
      if (attempt && named)
        await this.#forget(
          entry,
          attempt.paths.filter((path) => !named.has(path)),
        )
      else this.#areWaiting = true
    }
  }

  async #forget(attempt: string, unnamed: readonly string[]): Promise<void> {
    for (const path of unnamed) await this.#removeParts(path)
    await this.remove(unnamed)
    await this.#bucket.remove(this.#keyOf(attempt))
  }

  async close(): Promise<void> {
    this.#bucket.close()
    await this.#local.close()
  }

  async failure(operation: 'read' | 'write', cause: unknown, batchId?: number): Promise<SluiceError> {
    return diskError(this.#sink, operation, this.#root, cause, batchId)
  }

  /** Undefined when another process of the query has judged it meanwhile. */
  async #attempt(
    name: string,
  ): Promise<{ readonly entry: string; readonly paths: readonly string[] } | undefined> {
    const damaged = (reason: string) =>
      new SluiceError('SINK_DAMAGED', { sink: this.#sink, path: `${this.#root}/${LEDGER}/${name}`, reason })
    const text = await this.read(name)
    if (text === undefined) return undefined
    const { entry, files } = parseEntry(text, damaged)
    if (typeof entry !== 'string' || !isFileList(files)) throw damaged('lacks entry or files')
    return { entry, paths: files.map(({ path }) => path) }
  }

  /** Parts cost as much as objects, and no listing of objects shows them. */
  async #removeParts(path: string): Promise<void> {
    await this.#bucket.removeUploads(this.#prefix + path).catch((error: unknown) => {
      // A right that few roles have; the rule of the bucket that removes old parts does the same.
      if (!hasCode(error, 'AWS_ACCESS_DENIED')) throw error
      this.#log.info(
        { sink: this.#sink, path },
        'parts of an unfinished upload may be left: no right to see them',
      )
    })
  }

  async #entriesFrom(start: string): Promise<readonly string[]> {
    const folder = this.#keyOf('')
    const names: string[] = []
    for await (const key of this.#bucket.keys(folder + start)) names.push(key.slice(folder.length))
    return names
  }

  #keyOf(entry: string): string {
    return `${this.#prefix}${LEDGER}/${entry}`
  }
}

export interface BucketParts {
  /** Its description, for messages. */
  readonly sink: string
  /** `s3://bucket/clicks` */
  readonly root: string
  readonly clock: Clock
  readonly calls: DiskCalls
  readonly log: Logger
}
