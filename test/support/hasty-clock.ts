import { type Clock, systemClock } from '../../src/clock.ts'

/** Waits are a hundredth of what they would be: those between attempts, and looks at the time an attempt takes. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1 + ms / 100), signal),
}
