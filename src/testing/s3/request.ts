import type { IncomingHttpHeaders } from 'node:http'
import { refuse } from './service-error.ts'

export type S3Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'GetObject'
  | 'HeadObject'
  | 'ListMultipartUploads'
  | 'ListObjectsV2'
  | 'PutObject'
  | 'UploadPart'

/** What a request asks for, before its body is looked at. */
export interface S3Request {
  readonly operation: S3Operation
  readonly bucket: string
  /** Empty for a listing and for DeleteObjects. */
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Where the bucket's name stood. */
  readonly style: 'path' | 'host'
}

/** Parameters of the query that each operation of the double understands. */
const QUERY: Readonly<Record<S3Operation, readonly string[]>> = {
  AbortMultipartUpload: ['uploadId'],
  CompleteMultipartUpload: ['uploadId'],
  CreateMultipartUpload: ['uploads'],
  DeleteObject: [],
  DeleteObjects: ['delete'],
  GetObject: [],
  HeadObject: [],
  ListMultipartUploads: ['uploads', 'prefix', 'key-marker', 'upload-id-marker', 'max-uploads'],
  ListObjectsV2: [
    'list-type',
    'prefix',
    'start-after',
    'continuation-token',
    'max-keys',
    'encoding-type',
    'fetch-owner',
  ],
  PutObject: [],
  UploadPart: ['partNumber', 'uploadId'],
}

/**
 * Reads the address of a request, in path style and in virtual-host style: a host name of which the first part is
 * the name of a bucket that exists.
 *
 * @throws S3ServiceError InvalidURI, NotImplemented for what the double does not know
 */
export function parseRequest(
  { method, url, headers }: { method: string; url: string; headers: IncomingHttpHeaders },
  buckets: Iterable<string>,
): S3Request {
  // Not by `new URL`, which would walk up the `..` that a key may hold.
  const [path = '/', search = ''] = url.split(/\?(.*)/s)
  const host = (headers.host ?? '').toLowerCase()
  const hosted = [...buckets].find((name) => host.startsWith(`${name}.`))
  const whole = decoded(path).slice(1)
  const slash = whole.indexOf('/')
  const [bucket, key] =
    hosted !== undefined
      ? [hosted, whole]
      : slash < 0
        ? [whole, '']
        : [whole.slice(0, slash), whole.slice(slash + 1)]
  const query = new URLSearchParams(search)
  const operation = operationOf(method, key, query)
  for (const name of query.keys()) {
    // `x-id` is a note of the SDKs that says the operation once more.
    if (name === 'x-id' || QUERY[operation].includes(name)) continue
    refuse('NotImplemented', { message: `The double does not know '${name}' of ${operation}.` })
  }
  return { operation, bucket, key, query, headers, style: hosted === undefined ? 'path' : 'host' }
}

function operationOf(method: string, key: string, query: URLSearchParams): S3Operation {
  if (key === '') {
    if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2'
    if (method === 'POST' && query.has('delete')) return 'DeleteObjects'
    if (method === 'GET' && query.has('uploads')) return 'ListMultipartUploads'
  } else if (query.has('uploads') && method === 'POST') {
    return 'CreateMultipartUpload'
  } else if (query.has('uploadId')) {
    if (method === 'PUT') return 'UploadPart'
    if (method === 'POST') return 'CompleteMultipartUpload'
    if (method === 'DELETE') return 'AbortMultipartUpload'
  } else {
    if (method === 'PUT') return 'PutObject'
    if (method === 'GET') return 'GetObject'
    if (method === 'HEAD') return 'HeadObject'
    if (method === 'DELETE') return 'DeleteObject'
  }
  return refuse('NotImplemented', { message: `The double does not know ${method} of '${key}'.` })
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return refuse('InvalidURI')
  }
}
