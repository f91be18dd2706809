import { writeFileSync } from 'node:fs'
import { SluiceError } from './errors.ts'

/*
 * Named places at which a test stops, stalls or kills the process, to see that the next start goes on exactly.
 *
 * They do nothing unless an environment variable says so when the process starts:
 *   SLUICE_FAILPOINT=name:hit:action    acts when `name` is passed for the hit-th time, counted from 1
 *   SLUICE_FAILPOINT_TRACE=file         writes as JSON the names in the order in which they were passed, when the process
 *                                       ends by itself
 */
interface Armed {
  readonly name: string
  readonly hit: number
  readonly action: Action
}

type Action = keyof typeof ACTIONS

const ACTIONS = {
  /** No handler runs, and nothing is flushed. */
  kill: () => void process.kill(process.pid, 'SIGKILL'),
  /** Until SIGCONT: a host that was suspended, a process that was swapped out. */
  stop: () => void process.kill(process.pid, 'SIGSTOP'),
  throw: ({ name, hit }: Armed) => {
    throw new SluiceError('FAILPOINT', { name, hit })
  },
  /** Blocks the whole thread, as a long collection of garbage does. */
  delay: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DELAY_MS),
} as const satisfies Readonly<Record<string, (armed: Armed) => void>>

const DELAY_MS = 1000
const SETTING = /^([\w.-]+):([1-9]\d{0,8}):(\w+)$/

const { SLUICE_FAILPOINT: setting, SLUICE_FAILPOINT_TRACE: traceFile } = process.env
const armed = setting === undefined ? undefined : parse(setting)
const counts = new Map<string, number>()
const trace: string[] = []

/** Whether anything watches the failpoints of this process. */
export const failpointsOn = armed !== undefined || traceFile !== undefined

/** Passes a named place. */
export const hit: (name: string) => void = failpointsOn ? pass : () => undefined

if (traceFile !== undefined) {
  process.once('exit', () => writeFileSync(traceFile, JSON.stringify(trace)))
}

function pass(name: string): void {
  const passed = (counts.get(name) ?? 0) + 1
  counts.set(name, passed)
  if (traceFile !== undefined) trace.push(name)
  if (armed?.name === name && armed.hit === passed) ACTIONS[armed.action](armed)
}

function parse(text: string): Armed {
  const [, name, nth, action] = SETTING.exec(text) ?? []
  if (name !== undefined && action !== undefined && Object.hasOwn(ACTIONS, action)) {
    return { name, hit: Number(nth), action: action as Action }
  }
  // A typing error that armed nothing would make every test of a crash pass.
  const expected = `name:hit:action with one of the actions ${Object.keys(ACTIONS).join(', ')}`
  const params = { owner: 'the environment', option: 'SLUICE_FAILPOINT', value: text, expected }
  throw new SluiceError('OPTION_INVALID', params)
}
