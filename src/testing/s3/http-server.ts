import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { S3Exchange, S3Outcome } from './exchange.ts'
import type { S3Answer } from './operations.ts'
import { parseRequest, type S3Request } from './request.ts'
import { S3ServiceError } from './service-error.ts'
import { document } from './xml.ts'

export interface S3ListenOptions {
  /** Default: any free one. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
}

export interface S3Endpoint {
  /** `http://127.0.0.1:9000` */
  readonly endpointUrl: string
  readonly port: number
  /** Ends all connections, busy ones too. */
  close(): Promise<void>
}

const PAGE =
  '<html><head><title>Sign in</title></head><body>This network needs you to sign in.</body></html>\n'

/** Serves the S3 API over HTTP/1.1 with keep-alive. */
export async function listenS3(exchange: S3Exchange, options: S3ListenOptions): Promise<S3Endpoint> {
  const closing = new AbortController()
  const server = createServer((request, response) => {
    // A client that leaves in the middle is none of the double's concern.
    serve(exchange, request, response, closing.signal).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  const { address, family, port } = server.address() as AddressInfo
  let closed: Promise<void> | undefined
  return {
    endpointUrl: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    close: () => {
      closed ??= new Promise((resolve) => {
        closing.abort()
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closed
    },
  }
}

async function serve(
  exchange: S3Exchange,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const body = await bodyOf(request)
  const { clock } = exchange
  response.sendDate = false
  response.setHeader('Date', new Date(clock.now()).toUTCString())
  const requestId = clock.uuid()
  const outcome = await outcomeOf(exchange, request, body, closing)
  // What a proxy says in the service's stead has none of its headers.
  if (outcome.kind !== 'html') {
    response.setHeader('x-amz-request-id', requestId)
    response.setHeader('Server', 'AmazonS3')
  }
  switch (outcome.kind) {
    case 'answer':
      return send(response, outcome.answer)
    case 'refusal':
      return send(response, refusalAnswer(outcome.error, requestId))
    case 'html':
      return send(response, {
        status: outcome.status,
        headers: { 'Content-Type': 'text/html' },
        body: Buffer.from(PAGE),
      })
    case 'slow':
      return await sendSlowly(response, outcome, (ms) => clock.sleep(ms, closing))
    case 'truncate':
      return await sendPart(response, outcome.answer, outcome.keep)
    case 'reset':
      request.socket.resetAndDestroy()
      return
    case 'hang':
      return
  }
}

async function outcomeOf(
  exchange: S3Exchange,
  { method = '', url = '/', headers }: IncomingMessage,
  body: Buffer,
  closing: AbortSignal,
): Promise<S3Outcome> {
  let parsed: S3Request
  try {
    parsed = parseRequest({ method, url, headers }, exchange.bucketNames)
  } catch (error) {
    if (error instanceof S3ServiceError) return { kind: 'refusal', error }
    throw error
  }
  return await exchange.call(parsed, body, closing)
}

function refusalAnswer(error: S3ServiceError, requestId: string): S3Answer {
  const { name, message, status, headers, fields } = error
  // HTTP forbids a body here.
  if (status === 304) return { status, headers, body: new Uint8Array() }
  const text = { Code: name, Message: message, ...fields, RequestId: requestId, HostId: 's3-double' }
  return {
    status,
    headers: { 'Content-Type': 'application/xml', ...headers },
    body: document('Error', text),
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts)
}

function send(response: ServerResponse, answer: S3Answer): void {
  writeHead(response, answer)
  // Node itself holds back the body of an answer to HEAD.
  response.end(answer.body)
}

function writeHead(response: ServerResponse, { status, headers, body, contentLength }: S3Answer): void {
  const hasLength = status !== 204 && status !== 304
  const length = hasLength ? { 'Content-Length': contentLength ?? body.length } : {}
  response.writeHead(status, { ...headers, ...length })
}

async function sendSlowly(
  response: ServerResponse,
  { answer, pieces, everyMs }: Extract<S3Outcome, { kind: 'slow' }>,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  writeHead(response, answer)
  response.flushHeaders()
  const { body } = answer
  const size = Math.max(1, Math.ceil(body.length / pieces))
  for (let at = 0; at < body.length && !response.destroyed; at += size) {
    await pause(everyMs)
    response.write(body.subarray(at, at + size))
  }
  response.end()
}

/** Promises the whole answer, sends the first bytes of it, and breaks the connection. */
async function sendPart(
  response: ServerResponse,
  answer: S3Answer,
  keep = answer.body.length >> 1,
): Promise<void> {
  writeHead(response, answer)
  const kept = answer.body.subarray(0, Math.max(0, Math.min(keep, answer.body.length - 1)))
  response.flushHeaders()
  if (kept.length > 0) await new Promise<void>((resolve) => response.write(kept, () => resolve()))
  response.destroy()
}
