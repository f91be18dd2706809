import type { KinesisClient } from '@aws-sdk/client-kinesis'
import {
  HttpConnection,
  type HttpReply,
  NOT_UNDERSTOOD,
  type Origin,
  type Timeouts,
} from './http-connection.ts'

/** The SDK's contract with whatever carries its requests, as far as it matters here. */
interface HttpHandler {
  readonly metadata: unknown
  handle(request: HttpRequest, options?: { readonly abortSignal?: AbortSignal }): Promise<HttpAnswer>
  updateHttpClientConfig(name: string, value: unknown): void
  httpHandlerConfigs(): object
  destroy(): void
}

interface HttpRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly method: string
  readonly path: string
  readonly query: object
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface HttpAnswer {
  readonly response: HttpReply
}

/** Idle connections that are kept; as many as shards are read at once by default. */
const MOST_IDLE = 64

/**
 * Sends the requests of a client whose bodies are bytes, which are those for records in CBOR, over connections of our
 * own, and leaves all others to the SDK's handler. So it does with all of them as soon as an answer comes in a form that
 * `HttpConnection` does not understand; GetRecords may be asked twice.
 *
 * @param signalOf what ends a request early
 */
export function directHttp(
  client: KinesisClient,
  timeouts: Timeouts,
  signalOf: (request: object) => AbortSignal | undefined,
): void {
  const inner = client.config.requestHandler as unknown as HttpHandler
  const idle = new Map<string, HttpConnection[]>()
  let isUnderstood = true
  let isClosed = false

  const connection = (origin: Origin, key: string): HttpConnection => {
    const waiting = idle.get(key) ?? []
    for (let each = waiting.pop(); each; each = waiting.pop()) if (each.isOpen) return each
    return new HttpConnection(origin, timeouts)
  }
  const putBack = (each: HttpConnection, key: string): void => {
    const waiting = (idle.get(key) ?? []).filter(({ isOpen }) => isOpen)
    if (isClosed || waiting.length >= MOST_IDLE) each.close()
    if (each.isOpen) idle.set(key, [...waiting, each])
  }
  const exchange = async (
    request: HttpRequest,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> => {
    const isTls = request.protocol === 'https:'
    const origin = { isTls, hostname: request.hostname, port: request.port ?? (isTls ? 443 : 80) }
    const key = JSON.stringify(origin)
    const each = connection(origin, key)
    const response = await each.exchange(headOf(request), body, signal)
    putBack(each, key)
    return { response }
  }

  const handler: HttpHandler = {
    metadata: inner.metadata,
    updateHttpClientConfig: (name, value) => inner.updateHttpClientConfig(name, value),
    httpHandlerConfigs: () => inner.httpHandlerConfigs(),
    handle: async (request, given) => {
      const { body } = request
      const signal = signalOf(request)
      const options = signal ? { ...given, abortSignal: signal } : given
      if (!isUnderstood || !(body instanceof Uint8Array) || Object.keys(request.query).length > 0)
        return await inner.handle(request, options)
      try {
        return await exchange(request, body, signal)
      } catch (error) {
        if (error !== NOT_UNDERSTOOD) throw error
        isUnderstood = false
        return await inner.handle(request, options)
      }
    },
    destroy: () => {
      isClosed = true
      for (const each of [...idle.values()].flat()) each.close()
      idle.clear()
      inner.destroy()
    },
  }
  client.config.requestHandler = handler as unknown as typeof client.config.requestHandler
}

function headOf({ method, path, headers }: HttpRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
