import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** A request as it arrived, body and all. */
export interface SignedRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

export interface SignatureScope {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]*)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/

/** What the Authorization header says, or undefined when it is not a complete AWS4 signature. */
export function parseAuthorization(header: string): SignatureScope | undefined {
  const [, accessKeyId, date, region, service, names, signature] = AUTHORIZATION.exec(header) ?? []
  if (!accessKeyId || !date || region === undefined || !service || !names || !signature) return undefined
  return { accessKeyId, date, region, service, signedHeaders: names.split(';'), signature }
}

/** The signature that the holder of `secret` would have given this request (AWS Signature Version 4). */
export function signatureOf(request: SignedRequest, scope: SignatureScope, secret: string): string {
  const [path = '/', query = ''] = request.url.split('?')
  const headers = scope.signedHeaders.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`)
  const canonical = [
    request.method,
    path,
    query.split('&').sort().join('&'),
    headers.join(''),
    scope.signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n')
  const name = `${scope.date}/${scope.region}/${scope.service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], name, sha256(canonical)].join('\n')
  const key = [scope.date, scope.region, scope.service, 'aws4_request'].reduce<Buffer | string>(
    (signing, part) => createHmac('sha256', signing).update(part).digest(),
    `AWS4${secret}`,
  )
  return createHmac('sha256', key).update(toSign).digest('hex')
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
