import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { parseDuration } from '../../options.ts'

/** What came of a request. */
export type Answer =
  | { readonly kind: 'taken' }
  /** The rows are at fault: fewer of them may be taken. */
  | { readonly kind: 'rows refused'; readonly reason: string }
  /** Something else is at fault, and asking again will not change it. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number }

export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
}

const ROWS_REFUSED = new Set([400, 413, 422])
const WORTH_RETRYING = new Set([408, 409, 425, 429])

/** One POST; never rejects. */
export async function post(request: Request, clock: Clock): Promise<Answer> {
  try {
    return await withTimeout(clock, request.timeoutMs, async (signal) => {
      const { url, headers, body } = request
      // A redirect would turn the POST into a GET, and take the credentials elsewhere.
      const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
      // Read to its end, the connection can be used again.
      await response.arrayBuffer()
      return answerOf(response, clock)
    })
  } catch (error) {
    // fetch hides what happened in the cause.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    return { kind: 'failed', reason: reasonOf(cause), retryAfterMs: 0 }
  }
}

function answerOf({ ok, status, statusText, headers }: Response, clock: Clock): Answer {
  if (ok) return { kind: 'taken' }
  const reason = `HTTP ${status} ${statusText}`.trim()
  if (ROWS_REFUSED.has(status)) return { kind: 'rows refused', reason }
  if (status < 500 && !WORTH_RETRYING.has(status)) return { kind: 'refused', reason }
  return { kind: 'failed', reason, retryAfterMs: retryAfterMs(headers.get('retry-after'), clock) }
}

/** Seconds, or a date. */
function retryAfterMs(text: string | null, clock: Clock): number {
  if (text === null) return 0
  const ms = /^\d+$/.test(text) ? parseDuration(`${text}s`) : Date.parse(text) - clock.now()
  return ms !== undefined && ms > 0 ? ms : 0
}

async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const request = new AbortController()
  const timer = new AbortController()
  const tooLate = clock.sleep(timeoutMs, timer.signal).then(() => {
    if (!timer.signal.aborted) request.abort(`no answer within ${timeoutMs} ms`)
  })
  try {
    return await work(request.signal)
  } finally {
    timer.abort()
    await tooLate
  }
}
