import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { OptionValue } from '../../src/options.ts'
import type { QueryName } from './queries.ts'

/** What one process is to do. */
export interface Order {
  readonly query: QueryName
  readonly source: Readonly<Record<string, OptionValue>>
  /** Of the query and of its sink: `checkpointLocation` and the like. */
  readonly writer: Readonly<Record<string, OptionValue>>
  /** Of the sink; absent for a function, which writes one file a batch. */
  readonly format?: string
  /** The directory that the function writes to. */
  readonly output: string
  /** Goes on at the end of the stream, until SIGTERM. */
  readonly endless?: boolean
}

export interface Ending {
  /** `SIGKILL`, or the exit code. */
  readonly by: NodeJS.Signals | number
  readonly stderr: string
}

/** Neither AWS settings nor an .aws folder of this machine. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, TMPDIR } = process.env
  return { PATH, TMPDIR, HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' }
}

const running = new Set<Life>()
process.once('exit', () => {
  for (const life of running) life.signal('SIGKILL')
})

/** A process that runs a query. It does not outlive the test that started it. */
export class Life {
  readonly ended: Promise<Ending>
  /** Resolves when the query has started, or the process has ended before. */
  readonly started: Promise<void>
  readonly #process: ChildProcessWithoutNullStreams

  /** @param script the compiled `query-child` */
  constructor(script: string, order: Order, env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(process.execPath, [script, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...cleanEnvironment(), ...env },
    })
    running.add(this)
    let stderr = ''
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    this.ended = once(this.#process, 'close').then(([code, signal]) => {
      running.delete(this)
      return { by: (signal ?? code) as NodeJS.Signals | number, stderr }
    })
    this.started = Promise.race([
      once(this.#process.stdout, 'data'),
      once(this.#process.stdout, 'close'),
    ]).then(() => undefined)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name)
  }
}
