import type { RetryLimits } from '../../backoff.ts'
import { SluiceError } from '../../errors.ts'
import { type GivenOptions, type OptionTable, parseOptions } from '../../options.ts'
import { RETRY_OPTIONS, retryLimits } from '../retry-options.ts'

export const HTTP_OPTIONS = {
  url: { kind: 'text', required: true, doc: 'where to POST the rows' },
  authorization: { kind: 'secret', doc: 'value of the header Authorization, such as Bearer …' },
  headers: { kind: 'secret', doc: 'more headers, as a JSON object of texts' },
  maxRowsPerRequest: { kind: 'count', doc: 'rows of a request', default: '1000', min: 1 },
  maxPayloadBytes: { kind: 'bytes', doc: 'of the body of a request', default: '6MB', min: 1024 },
  requestTimeout: { kind: 'duration', doc: 'for the whole answer', default: '30s', min: 1 },
  ...RETRY_OPTIONS,
  refusedRows: {
    kind: 'text',
    doc: 'what a row that is refused by itself does: fail the batch, be left out with a warning, or go to the dead letters of the query',
    default: 'fail',
    oneOf: ['fail', 'drop', 'deadLetter'],
  },
} as const satisfies OptionTable

export interface HttpOptions {
  readonly url: string
  /** For messages: without the query, which may hold a key. */
  readonly place: string
  readonly headers: Readonly<Record<string, string>>
  readonly rowsPerRequest: number
  readonly payloadBytes: number
  readonly requestTimeoutMs: number
  readonly retry: RetryLimits
  readonly refusedRows: 'fail' | 'drop' | 'deadLetter'
}

const OWNER = 'sink http'

/** @throws OPTION_UNKNOWN, OPTION_MISSING, OPTION_INVALID */
export function parseHttpOptions(given: GivenOptions): HttpOptions {
  const options = parseOptions(OWNER, HTTP_OPTIONS, given)
  const { origin, pathname } = urlOf(options.url)
  const { authorization } = options
  return Object.freeze({
    url: options.url,
    place: `${origin}${pathname}`,
    headers: {
      ...headersOf(options.headers),
      ...(authorization === undefined ? {} : { authorization }),
    },
    rowsPerRequest: options.maxRowsPerRequest,
    payloadBytes: options.maxPayloadBytes,
    requestTimeoutMs: options.requestTimeout,
    retry: retryLimits(options),
    refusedRows: options.refusedRows as HttpOptions['refusedRows'],
  })
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url
  const value = text
    .replace(/\/\/[^/]*@/, '//***@')
    .replace(/\?.*/s, '?***')
    .slice(0, 200)
  const expected = 'an http:// or https:// URL without user name and password; use the option authorization'
  throw new SluiceError('OPTION_INVALID', { owner: OWNER, option: 'url', value, expected })
}

function headersOf(text: string | undefined): Record<string, string> {
  if (text === undefined) return {}
  const expected = 'a JSON object of header names and texts, such as {"x-api-key":"…"}'
  const refusal = new SluiceError('OPTION_INVALID', {
    owner: OWNER,
    option: 'headers',
    value: '***',
    expected,
  })
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw refusal
    if (Object.values(parsed).some((value) => typeof value !== 'string')) throw refusal
    // The standard says what a name and a value may hold.
    return Object.fromEntries(new Headers(parsed as Record<string, string>))
  } catch {
    throw refusal
  }
}
