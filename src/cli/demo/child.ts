import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How a process ended: `exit code 1`, `SIGKILL`. */
export type Ending = string

const KEPT_OUTPUT = 4000
const EXTENSION = extname(import.meta.url)

/** A Node process of the demo. It ends with the demo at the latest, and holds nothing that a kill would harm. */
export class Child {
  readonly pid: number
  /** Resolves when the process has ended and all it wrote is read. */
  readonly ended: Promise<Ending>
  readonly #process: ChildProcess
  #ending: Ending | undefined
  #output = ''

  /**
   * @param file an absolute path, or the name of a module of this package, relative to this file and without extension
   * @param environment added to the variables of this process
   */
  constructor(file: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const leave = ['--import', moduleUrl('./leave-with-parent').href]
    this.#process = spawn(process.execPath, [...process.execArgv, ...leave, fileOf(file), ...args], {
      // A group of its own: Ctrl-C reaches the demo alone, and the demo decides who goes when.
      detached: true,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    })
    this.pid = this.#process.pid ?? 0
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT)
      })
    }
    const kill = () => this.kill()
    process.once('exit', kill)
    this.ended = this.#untilEnded().finally(() => process.off('exit', kill))
  }

  /** Undefined while it runs. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** The last that it wrote on stdout and stderr. */
  get output(): string {
    return this.#output
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.#ending === undefined) this.#process.kill(signal)
  }

  async #untilEnded(): Promise<Ending> {
    try {
      const [code, signal] = (await once(this.#process, 'close')) as [number | null, NodeJS.Signals | null]
      this.#ending = signal ?? `exit code ${code}`
    } catch (error) {
      this.#ending = `no start: ${String(error)}`
    }
    return this.#ending
  }
}

function fileOf(file: string): string {
  return file.startsWith('.') ? fileURLToPath(moduleUrl(file)) : file
}

function moduleUrl(name: string): URL {
  return new URL(name + EXTENSION, import.meta.url)
}
