import { refuse } from './service-error.ts'

/** A body freed of its `aws-chunked` framing, and the headers that came after it. */
export interface Unframed {
  readonly content: Buffer
  readonly trailers: Readonly<Record<string, string>>
}

const LINE_END = '\r\n'

/**
 * Decodes the framing that SDKs put around a stream of unknown checksum: chunks of `<hex size>[;chunk-signature=…]`,
 * the last of size 0, then trailing headers. Signatures are not verified.
 *
 * @throws S3ServiceError IncompleteBody
 */
export function unframe(body: Buffer, decodedLength: number | undefined): Unframed {
  const parts: Buffer[] = []
  let at = 0
  const line = (): string => {
    const end = body.indexOf(LINE_END, at)
    if (end < 0) refuse('IncompleteBody')
    const text = body.toString('latin1', at, end)
    at = end + LINE_END.length
    return text
  }
  for (;;) {
    const head = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line())
    if (!head) refuse('IncompleteBody', { message: 'The chunk framing of the body is malformed.' })
    const size = Number.parseInt(head[1] ?? '', 16)
    if (size === 0) break
    if (at + size + LINE_END.length > body.length) refuse('IncompleteBody')
    parts.push(body.subarray(at, at + size))
    at += size
    if (line() !== '') refuse('IncompleteBody', { message: 'A chunk is longer than it says.' })
  }
  const trailers: Record<string, string> = {}
  for (let text = line(); text !== ''; text = line()) {
    const colon = text.indexOf(':')
    trailers[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim()
  }
  const content = Buffer.concat(parts)
  if (decodedLength !== undefined && decodedLength !== content.length) refuse('IncompleteBody')
  return { content, trailers }
}
