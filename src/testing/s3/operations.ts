import { unframe } from './aws-chunked.ts'
import { verifyContent, verifyPayload } from './content-checksums.ts'
import {
  type Conditions,
  compareKeys,
  type ObjectStore,
  type StoredObject,
  sameEtag,
} from './object-store.ts'
import type { S3Operation, S3Request } from './request.ts'
import { refuse, S3ServiceError } from './service-error.ts'
import { document, textsOf } from './xml.ts'

/** What goes back over the wire, but for the headers that every answer has. */
export interface S3Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Of HEAD, whose body is not sent. */
  readonly contentLength?: number
}

export interface OperationContext {
  readonly store: ObjectStore
  readonly nowMs: number
  /** Of an upload in parts. */
  readonly newId: () => string
  /** Most keys in one page of a listing. */
  readonly pageSize: number
  /** What becomes of If-None-Match and If-Match on a write. */
  readonly conditionalWrites: 'honoured' | 'ignored' | 'refused'
}

type Handler = (context: OperationContext, request: S3Request, body: Buffer) => S3Answer

const EMPTY = new Uint8Array()
const META = 'x-amz-meta-'
const DELETE_MAX = 1000

const HANDLERS: Readonly<Record<S3Operation, Handler>> = {
  AbortMultipartUpload: abortUpload,
  CompleteMultipartUpload: completeUpload,
  CreateMultipartUpload: createUpload,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetObject: getObject,
  HeadObject: (context, request) => {
    const answer = getObject(context, request)
    return { ...answer, body: EMPTY, contentLength: answer.body.length }
  },
  ListMultipartUploads: listUploads,
  ListObjectsV2: listObjects,
  PutObject: putObject,
  UploadPart: putPart,
}

/** Carries a request out, at once and whole. @throws S3ServiceError */
export function execute(context: OperationContext, request: S3Request, body: Buffer): S3Answer {
  verifyPayload(request.headers, body)
  return HANDLERS[request.operation](context, request, body)
}

function putObject(context: OperationContext, { key, headers }: S3Request, body: Buffer): S3Answer {
  const { content, checksums } = received(headers, body)
  const object = { content, modifiedMs: context.nowMs, ...described(headers), checksums }
  const { etag } = context.store.put(key, object, writeConditions(context, headers))
  return { status: 200, headers: { ETag: etag, ...checksums }, body: EMPTY }
}

function createUpload({ store, nowMs, newId }: OperationContext, request: S3Request): S3Answer {
  const { bucket, key, headers } = request
  const id = newId()
  store.uploads.begin({ id, key, startedMs: nowMs, ...described(headers) })
  return xmlAnswer('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: id })
}

function putPart({ store }: OperationContext, { key, query, headers }: S3Request, body: Buffer): S3Answer {
  const { content, checksums } = received(headers, body)
  const number = Number(query.get('partNumber'))
  const crc32 = checksums['x-amz-checksum-crc32']
  const etag = store.uploads.put(query.get('uploadId') ?? '', key, number, content, crc32)
  return { status: 200, headers: { ETag: etag, ...checksums }, body: EMPTY }
}

function completeUpload(context: OperationContext, request: S3Request, body: Buffer): S3Answer {
  const { store, nowMs } = context
  const { bucket, key, query, headers } = request
  const id = query.get('uploadId') ?? ''
  const xml = body.toString()
  const [etags, checksums] = [textsOf(xml, 'ETag'), textsOf(xml, 'ChecksumCRC32')]
  const named = textsOf(xml, 'PartNumber').map((number, index) => {
    return { number: Number(number), etag: etags[index] ?? '', crc32: checksums[index] }
  })
  const object = { ...store.uploads.assemble(id, key, named), modifiedMs: nowMs, checksums: {} }
  const { etag } = store.put(key, object, writeConditions(context, headers))
  store.uploads.end(id, key)
  return xmlAnswer('CompleteMultipartUploadResult', { Bucket: bucket, Key: key, ETag: etag })
}

function abortUpload({ store }: OperationContext, { key, query }: S3Request): S3Answer {
  store.uploads.end(query.get('uploadId') ?? '', key)
  return { status: 204, headers: {}, body: EMPTY }
}

/** All in one page, whatever was asked for. */
function listUploads({ store }: OperationContext, { bucket, query }: S3Request): S3Answer {
  const uploads = store.uploads.list(query.get('prefix') ?? '')
  return xmlAnswer('ListMultipartUploadsResult', {
    Bucket: bucket,
    IsTruncated: false,
    Upload: uploads.map(({ key, id, startedMs }) => {
      return { Key: key, UploadId: id, Initiated: new Date(startedMs).toISOString() }
    }),
  })
}

/** The content of a request without its framing, held against its checksums. */
function received(
  headers: S3Request['headers'],
  body: Buffer,
): { readonly content: Uint8Array; readonly checksums: Readonly<Record<string, string>> } {
  const framed = /\baws-chunked\b/.test(headers['content-encoding'] ?? '')
  const decodedLength = headers['x-amz-decoded-content-length']
  const { content, trailers } = framed
    ? unframe(body, decodedLength === undefined ? undefined : Number(decodedLength))
    : { content: body, trailers: {} }
  return { content, checksums: verifyContent({ ...headers, ...trailers }, content) }
}

/** What a request says about the object to be. */
function described(headers: S3Request['headers']): Pick<StoredObject, 'contentType' | 'metadata'> {
  const metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = String(value)
  }
  return { contentType: headers['content-type'] ?? 'binary/octet-stream', metadata }
}

function getObject({ store }: OperationContext, { key, headers }: S3Request): S3Answer {
  const object = store.get(key) ?? refuse('NoSuchKey', { fields: { Key: key } })
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers
  if (ifMatch !== undefined && !sameEtag(ifMatch, object.etag)) refuse('PreconditionFailed')
  if (ifNoneMatch !== undefined && sameEtag(ifNoneMatch, object.etag)) {
    refuse('NotModified', { headers: { ETag: object.etag } })
  }
  const range = rangeOf(headers.range, object.content.length)
  const about = describe(object, headers['x-amz-checksum-mode'] === 'ENABLED' && range === undefined)
  if (range === undefined) return { status: 200, headers: about, body: object.content }
  const [start, end] = range
  const contentRange = `bytes ${start}-${end}/${object.content.length}`
  const body = object.content.subarray(start, end + 1)
  return { status: 206, headers: { ...about, 'Content-Range': contentRange }, body }
}

function deleteObject(context: OperationContext, { key, headers }: S3Request): S3Answer {
  context.store.delete(key, writeConditions(context, headers))
  return { status: 204, headers: {}, body: EMPTY }
}

function deleteObjects({ store }: OperationContext, { headers }: S3Request, body: Buffer): S3Answer {
  verifyContent(headers, body)
  const xml = body.toString()
  const keys = textsOf(xml, 'Key')
  if (keys.length === 0 || keys.length > DELETE_MAX) refuse('MalformedXML')
  for (const key of keys) store.delete(key)
  const deleted = textsOf(xml, 'Quiet')[0] === 'true' ? [] : keys.map((key) => ({ Key: key }))
  return xmlAnswer('DeleteResult', { Deleted: deleted })
}

function listObjects({ store, pageSize }: OperationContext, { bucket, query }: S3Request): S3Answer {
  const prefix = query.get('prefix') ?? ''
  const token = query.get('continuation-token') ?? undefined
  const startAfter = query.get('start-after') ?? undefined
  const after = token === undefined ? startAfter : openToken(token)
  const maxKeys = Number(query.get('max-keys') ?? pageSize)
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 0) refuse('InvalidArgument')
  const encode = query.get('encoding-type') === 'url' ? urlEncoded : (text: string) => text
  const matching = store.keys(prefix).filter((key) => after === undefined || compareKeys(key, after) > 0)
  const keys = matching.slice(0, Math.min(maxKeys, pageSize))
  const isTruncated = maxKeys > 0 && matching.length > keys.length
  return xmlAnswer('ListBucketResult', {
    Name: bucket,
    Prefix: encode(prefix),
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    ContinuationToken: token,
    NextContinuationToken: isTruncated ? sealToken(keys.at(-1) ?? '') : undefined,
    KeyCount: keys.length,
    MaxKeys: maxKeys,
    EncodingType: query.get('encoding-type') ?? undefined,
    IsTruncated: isTruncated,
    Contents: keys.map((key) => listed(encode(key), store.get(key))),
  })
}

function listed(key: string, object: StoredObject | undefined) {
  return {
    Key: key,
    LastModified: new Date(object?.modifiedMs ?? 0).toISOString(),
    ETag: object?.etag,
    Size: object?.content.length,
    StorageClass: 'STANDARD',
  }
}

function writeConditions({ conditionalWrites }: OperationContext, headers: S3Request['headers']): Conditions {
  const conditions = { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] }
  const isConditional = conditions.ifMatch !== undefined || conditions.ifNoneMatch !== undefined
  if (conditionalWrites === 'refused' && isConditional) refuse('NotImplemented')
  return conditionalWrites === 'ignored' ? {} : conditions
}

function describe(object: StoredObject, withChecksums: boolean): Record<string, string> {
  const metadata = Object.entries(object.metadata).map(([name, value]) => [`${META}${name}`, value])
  return {
    ETag: object.etag,
    'Content-Type': object.contentType,
    'Last-Modified': new Date(object.modifiedMs).toUTCString(),
    'Accept-Ranges': 'bytes',
    ...Object.fromEntries(metadata),
    ...(withChecksums ? object.checksums : {}),
  }
}

/** First and last byte, or undefined for the whole. A header that is no range of bytes is ignored, as HTTP says. */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start >= size || start > end) throw new S3ServiceError('InvalidRange')
  return [start, end]
}

function sealToken(key: string): string {
  return Buffer.from(JSON.stringify({ after: key })).toString('base64url')
}

function openToken(token: string): string {
  try {
    const { after } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { after?: unknown }
    if (typeof after === 'string') return after
  } catch {
    // Told below.
  }
  return refuse('InvalidArgument', { message: 'The continuation token provided is incorrect' })
}

/** As S3 does it: a space is a plus sign, a slash stays. */
function urlEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll('%20', '+').replaceAll('%2F', '/')
}

function xmlAnswer(root: string, fields: Parameters<typeof document>[1]): S3Answer {
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body: document(root, fields) }
}
