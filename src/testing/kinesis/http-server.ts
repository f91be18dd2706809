import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../clock.ts'
import type { Identity } from './authorization.ts'
import type { CborOptions } from './cbor-writer.ts'
import type { Exchange, Outcome } from './exchange.ts'
import type { OperationName } from './operations.ts'
import { OPERATION_NAMES } from './service.ts'
import { KinesisServiceError } from './service-error.ts'
import type { SignedRequest } from './signature.ts'
import type { Wire } from './wire.ts'
import { cborWire } from './wire-cbor.ts'
import { jsonWire } from './wire-json.ts'

export interface ListenOptions {
  /** Default: any free one. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** How CBOR answers tell the lengths of maps and lists. Default `definite`. */
  readonly cborLengths?: CborOptions['lengths']
}

export interface KinesisEndpoint {
  /** `http://127.0.0.1:4567` */
  readonly endpointUrl: string
  readonly port: number
  /** Ends all connections, busy ones too. */
  close(): Promise<void>
}

interface Served {
  readonly exchange: Exchange
  readonly clock: Clock
  readonly identify: (request: SignedRequest) => Identity
}

const TARGET = 'Kinesis_20131202.'
/** Ten MiB of data in base64, and room for keys. */
const MOST_BODY_BYTES = 20 * 1024 * 1024
const PAGE =
  '<html><head><title>Sign in</title></head><body>This network needs you to sign in.</body></html>\n'

/** Serves the Kinesis API over HTTP/1.1 with keep-alive, in JSON and CBOR. */
export async function listen(served: Served, options: ListenOptions): Promise<KinesisEndpoint> {
  const wires: readonly Wire[] = [jsonWire(), cborWire({ lengths: options.cborLengths ?? 'definite' })]
  const closing = new AbortController()
  const server = createServer((request, response) => {
    // A client that leaves in the middle is none of the double's concern.
    serve(served, wires, request, response, closing.signal).catch(() => response.destroy())
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
  served: Served,
  wires: readonly Wire[],
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const body = await bodyOf(request)
  response.sendDate = false
  response.setHeader('Date', new Date(served.clock.now()).toUTCString())
  response.setHeader('x-amzn-RequestId', served.clock.uuid())
  const wire =
    wires.find((each) => request.headers['content-type']?.startsWith(each.contentType)) ?? wires[0]!
  const outcome = body ? await outcomeOf(served, wire, request, body, closing) : tooLarge
  switch (outcome.kind) {
    case 'answer': {
      const { answer } = outcome
      // Operations that have nothing to say are answered with an empty body, not with an empty object.
      return send(response, 200, wire.contentType, Object.keys(answer).length > 0 ? wire.encode(answer) : [])
    }
    case 'refusal': {
      const { name, message, $metadata } = outcome.error
      return send(
        response,
        $metadata.httpStatusCode,
        wire.contentType,
        wire.encode({ __type: name, message }),
      )
    }
    case 'html':
      return send(response, outcome.status, 'text/html', [Buffer.from(PAGE)])
    case 'truncate':
      return await sendPart(response, wire, outcome)
    case 'reset':
      request.socket.resetAndDestroy()
      return
    case 'hang':
      return
  }
}

async function outcomeOf(
  served: Served,
  wire: Wire,
  request: IncomingMessage,
  body: Buffer,
  closing: AbortSignal,
): Promise<Outcome<OperationName>> {
  const target = String(request.headers['x-amz-target'] ?? '')
  const operation = OPERATION_NAMES.find((name) => target === TARGET + name)
  if (request.method !== 'POST' || operation === undefined) {
    return refusal(new KinesisServiceError('UnknownOperationException', `No such operation: ${target}`))
  }
  const { headers, method = '', url = '/' } = request
  const identity = served.identify({ method, url, headers, body })
  const caller = {
    format: wire.format,
    accessKeyId: identity.accessKeyId,
    signedRegion: identity.signedRegion,
    host: headers.host,
  }
  if (identity.refusal) return served.exchange.refuse(operation, identity.refusal, caller)
  try {
    return await served.exchange.call(operation, wire.decode(body), caller, closing)
  } catch (error) {
    if (error instanceof KinesisServiceError) return refusal(error)
    throw error
  }
}

const tooLarge = refusal(new KinesisServiceError('SerializationException', 'The request is too large.'))

function refusal(error: KinesisServiceError): {
  readonly kind: 'refusal'
  readonly error: KinesisServiceError
} {
  return { kind: 'refusal', error }
}

/** Undefined when it is larger than any operation needs. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length <= MOST_BODY_BYTES) parts.push(part)
  }
  return length <= MOST_BODY_BYTES ? Buffer.concat(parts) : undefined
}

function send(response: ServerResponse, status: number, type: string, parts: readonly Uint8Array[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': length })
  // One writev for all parts instead of a packet each.
  response.cork()
  for (const part of parts) response.write(part)
  response.uncork()
  response.end()
}

/** Promises the whole answer, sends the first bytes of it, and breaks the connection. */
async function sendPart(
  response: ServerResponse,
  wire: Wire,
  outcome: Extract<Outcome<OperationName>, { kind: 'truncate' }>,
): Promise<void> {
  const whole = Buffer.concat(wire.encode(outcome.answer))
  response.writeHead(200, { 'Content-Type': wire.contentType, 'Content-Length': whole.length })
  const kept = whole.subarray(0, Math.min(outcome.keep ?? whole.length >> 1, whole.length - 1))
  await new Promise<void>((resolve) => response.write(kept, () => resolve()))
  response.destroy()
}
