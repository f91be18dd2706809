/** What a client sees when the answer never comes or cannot be read; the in-process stand-in for a broken socket. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: 'ECONNRESET' | 'ABORT_ERR' | 'ERR_UNREADABLE_ANSWER'

  constructor(code: TransportError['code'], message: string) {
    super(message)
    this.code = code
  }
}
