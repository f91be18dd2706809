import { createHash } from 'node:crypto'
import type { StoredObject } from './object-store.ts'
import { refuse } from './service-error.ts'

/** An upload in parts that was begun and not finished. */
export interface Upload {
  readonly id: string
  readonly key: string
  readonly startedMs: number
  readonly contentType: string
  readonly metadata: Readonly<Record<string, string>>
}

/** A part as a request to complete the upload names it. */
export interface NamedPart {
  readonly number: number
  readonly etag: string
  readonly crc32: string | undefined
}

interface Part {
  readonly content: Uint8Array
  readonly etag: string
  readonly crc32: string | undefined
}

/** As S3 has it, for every part but the last. */
const PART_MIN = 5 * 1024 ** 2
const PARTS_MAX = 10_000

/** The unfinished uploads of one bucket. */
export class Uploads {
  readonly #uploads = new Map<string, { readonly upload: Upload; readonly parts: Map<number, Part> }>()

  begin(upload: Upload): void {
    this.#uploads.set(upload.id, { upload, parts: new Map() })
  }

  /** A part of that number takes the place of an earlier one. @throws S3ServiceError NoSuchUpload, InvalidArgument */
  put(id: string, key: string, number: number, content: Uint8Array, crc32: string | undefined): string {
    const { parts } = this.#of(id, key)
    if (!Number.isSafeInteger(number) || number < 1 || number > PARTS_MAX) refuse('InvalidArgument')
    const etag = `"${createHash('md5').update(content).digest('hex')}"`
    parts.set(number, { content, etag, crc32 })
    return etag
  }

  /**
   * What becomes an object; the upload is still there, until `end`.
   *
   * @throws S3ServiceError NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall
   */
  assemble(
    id: string,
    key: string,
    named: readonly NamedPart[],
  ): Omit<StoredObject, 'modifiedMs' | 'checksums'> {
    const { upload, parts } = this.#of(id, key)
    if (named.length === 0) refuse('MalformedXML')
    const isOrdered = named.every(({ number }, index) => number > (named[index - 1]?.number ?? 0))
    if (!isOrdered) refuse('InvalidPartOrder')
    const pieces = named.map(({ number, etag, crc32 }, index) => {
      const part = parts.get(number)
      if (!part || part.etag !== etag || part.crc32 !== crc32) return refuse('InvalidPart')
      if (index < named.length - 1 && part.content.length < PART_MIN) refuse('EntityTooSmall')
      return part.content
    })
    const digests = pieces.map((piece) => createHash('md5').update(piece).digest())
    const etag = `"${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${pieces.length}"`
    const { contentType, metadata } = upload
    return { content: Buffer.concat(pieces), etag, contentType, metadata }
  }

  /** @throws S3ServiceError NoSuchUpload */
  end(id: string, key: string): void {
    this.#of(id, key)
    this.#uploads.delete(id)
  }

  list(prefix = ''): readonly Upload[] {
    const found = [...this.#uploads.values()].map(({ upload }) => upload)
    return found.filter(({ key }) => key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  #of(id: string, key: string): { readonly upload: Upload; readonly parts: Map<number, Part> } {
    const found = this.#uploads.get(id)
    return found?.upload.key === key ? found : refuse('NoSuchUpload')
  }
}
