import { constants } from 'node:os'

export interface StopSignals {
  /** Aborted by the first signal; its reason is the signal's name. */
  readonly signal: AbortSignal
  /** Exit code of a process that the first signal ended: 128 and the signal's number. 0 when there was none. */
  readonly exitCode: number
  /** Takes the handlers away again. */
  release(): void
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an abort, to be answered by a graceful end. The second ends the
 * process at once.
 *
 * @param told called at the first signal
 */
export function stopSignals(told: (name: string) => void): StopSignals {
  const controller = new AbortController()
  let exitCode = 0
  const handle = (name: (typeof NAMES)[number]) => {
    const code = 128 + constants.signals[name]
    if (controller.signal.aborted) process.exit(code)
    exitCode = code
    told(name)
    controller.abort(name)
  }
  for (const name of NAMES) process.on(name, handle)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    release: () => {
      for (const name of NAMES) process.off(name, handle)
    },
  }
}
