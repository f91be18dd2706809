import type { Clock } from '../../clock.ts'

/** Without a reason, every abort makes an error with its stack. */
const DONE = 'done'

/**
 * Runs `work` with a signal that aborts with `signal`, or after `ms`.
 *
 * @param late makes the error to throw when `work` failed because its time was over
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  late: (cause: unknown) => unknown,
): Promise<T> {
  const over = new AbortController()
  const done = new AbortController()
  let isLate = false
  void clock.sleep(ms, done.signal).then(() => {
    if (done.signal.aborted) return
    isLate = true
    over.abort()
  })
  // By hand: what AbortSignal.any hangs on a signal that lives for years is not always taken off again.
  const abort = (): void => over.abort()
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await work(over.signal)
  } catch (error) {
    throw isLate ? late(error) : error
  } finally {
    signal.removeEventListener('abort', abort)
    done.abort(DONE)
  }
}
