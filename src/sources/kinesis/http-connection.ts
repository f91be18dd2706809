import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { bodyBuffer } from './lent-body.ts'

export interface Origin {
  readonly isTls: boolean
  readonly hostname: string
  readonly port: number
}

export interface Timeouts {
  readonly connectMs: number
  /** Of a silence, before an answer or in the middle of it. */
  readonly silenceMs: number
}

export interface HttpReply {
  readonly statusCode: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** From the first byte of a lent buffer, with room behind it. */
  readonly body: Buffer
}

/** An answer is sent in a way that is not understood here; it says nothing against it. */
export const NOT_UNDERSTOOD = new Error('an answer in another form than one body of a known length')

const HEAD_BYTES = 16 * 1024
const LARGEST_BODY_BYTES = 32 * 1024 * 1024
const HEAD_END = '\r\n\r\n'

interface Exchange {
  resolve(reply: HttpReply): void
  reject(error: unknown): void
}

/**
 * A connection that carries one exchange of HTTP/1.1 at a time, and has the network write each body where it is to lie.
 *
 * Node's own client makes two buffers for every 64 KB that come, one for the read and one for the parser's copy of it;
 * the garbage they are cost more than all decoding. What it can and this cannot (chunks, upgrades, interim answers) is
 * refused with `NOT_UNDERSTOOD`, never guessed at.
 */
export class HttpConnection {
  readonly #socket: Socket
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES)
  #exchange: Exchange | undefined
  /** Once its head has come. */
  #reply: HttpReply | undefined
  /** Bytes that have come of the head; after it, of the body. */
  #filled = 0
  #isOpen = true

  constructor({ isTls, hostname, port }: Origin, { connectMs, silenceMs }: Timeouts) {
    const onread = {
      buffer: () => this.#target(),
      callback: (length: number) => {
        this.#take(length)
        return true
      },
    }
    const options = { host: hostname, port, noDelay: true, timeout: silenceMs, onread }
    const servername = isIP(hostname) === 0 ? hostname : ''
    const socket: Socket = isTls ? connectTls({ ...options, servername }) : connect(options)
    this.#socket = socket
    socket.on('error', (error) => this.#fail(error))
    socket.on('timeout', () => this.#fail(timeout(`nothing came for ${silenceMs} ms`)))
    socket.on('close', () =>
      this.#fail(withCode('ECONNRESET', 'the connection was closed before the answer ended')),
    )
    AbortSignal.timeout(connectMs).addEventListener('abort', () => {
      if (socket.connecting) this.#fail(timeout(`could not connect within ${connectMs} ms`))
    })
  }

  /** Can carry another exchange. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @throws NOT_UNDERSTOOD, and what the connection fails with; it is closed then */
  async exchange(head: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<HttpReply> {
    const abort = () =>
      this.#fail(Object.assign(new Error('the request was aborted'), { name: 'AbortError' }))
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await new Promise<HttpReply>((resolve, reject) => {
        this.#exchange = { resolve, reject }
        if (signal?.aborted) return abort()
        this.#socket.ref()
        this.#socket.cork()
        this.#socket.write(head, 'latin1')
        this.#socket.write(body)
        this.#socket.uncork()
      })
    } finally {
      signal?.removeEventListener('abort', abort)
      // An idle connection keeps no process alive.
      this.#socket.unref()
    }
  }

  close(): void {
    this.#isOpen = false
    this.#socket.destroy()
  }

  /** Where the next bytes go; never empty. */
  #target(): Buffer {
    return this.#reply ? this.#reply.body.subarray(this.#filled) : this.#head.subarray(this.#filled)
  }

  #take(length: number): void {
    if (!this.#exchange) {
      this.close()
      return
    }
    this.#filled += length
    if (!this.#reply && !this.#readHead()) return
    const reply = this.#reply as unknown as HttpReply
    if (this.#filled < reply.body.length) return
    const { resolve } = this.#exchange
    this.#exchange = undefined
    this.#reply = undefined
    this.#filled = 0
    if (/\bclose\b/i.test(reply.headers['connection'] ?? '')) this.close()
    resolve(reply)
  }

  /** Whether the head is complete; what came of the body behind it is moved to where it belongs. */
  #readHead(): boolean {
    const end = this.#head.subarray(0, this.#filled).indexOf(HEAD_END)
    if (end < 0) {
      if (this.#filled === HEAD_BYTES) this.#fail(NOT_UNDERSTOOD)
      return false
    }
    const start = end + HEAD_END.length
    const reply = replyOf(this.#head.toString('latin1', 0, end))
    if (!reply || this.#filled - start > reply.body.length) {
      this.#fail(NOT_UNDERSTOOD)
      return false
    }
    this.#head.copy(reply.body, 0, start, this.#filled)
    this.#filled -= start
    this.#reply = reply
    return true
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.close()
    exchange?.reject(error)
  }
}

/** Undefined when the body may be another than as many bytes as the head says. */
function replyOf(head: string): HttpReply | undefined {
  const [first = '', ...lines] = head.split('\r\n')
  const statusCode = Number(/^HTTP\/1\.1 ([2-5]\d\d)(?: |$)/.exec(first)?.[1])
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  const announced = headers['content-length'] ?? ''
  const length = Number(announced)
  const isPlain =
    !Number.isNaN(statusCode) &&
    statusCode !== 204 &&
    statusCode !== 304 &&
    /^\d+$/.test(announced) &&
    length <= LARGEST_BODY_BYTES &&
    headers['transfer-encoding'] === undefined &&
    headers['content-encoding'] === undefined
  return isPlain ? { statusCode, headers, body: bodyBuffer(length).subarray(0, length) } : undefined
}

function timeout(message: string): Error {
  return Object.assign(new Error(message), { name: 'TimeoutError' })
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
